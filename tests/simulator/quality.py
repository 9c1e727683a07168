"""What a meter remembers of its mains: outages, sags, surges and the like (ET09)."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

PHASES = (1, 2, 3)
DISTORTIONS = ("voltage", "current", "apparent")  # in the order of ET09's records
_DRP_RECORDS = 12


@dataclass(frozen=True, slots=True)
class Outage:
    """One power outage, in the meter's time, UTC."""

    start: datetime
    end: datetime
    brownout: bool = False

    @property
    def seconds(self) -> int:
        """Its duration, rounded down."""
        return int((self.end - self.start).total_seconds())


@dataclass(slots=True)
class Tally:
    """How often something happened, when last, and how far it went then (mV)."""

    count: int = 0
    last: datetime | None = None
    level: int = 0

    def add(self, time: datetime, level: int = 0) -> None:
        """Count one more."""
        self.count += 1
        self.last = time
        self.level = level


@dataclass(slots=True)
class Distortion:
    """THD events of one kind on one phase; values in 1/1000."""

    count: int = 0
    last: datetime | None = None
    maximum: int = 0
    maximum_at: datetime | None = None
    average: int = 0


@dataclass(slots=True)
class Extreme:
    """The lowest or highest frequency so far, mHz."""

    value: int
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transgression:
    """A DRP/DRC event, shares in 1/1000."""

    drp: int
    drc: int
    time: datetime


def _tallies() -> dict[int, Tally]:
    return {phase: Tally() for phase in PHASES}


def _distortions() -> dict[tuple[str, int], Distortion]:
    return {(kind, phase): Distortion() for kind in DISTORTIONS for phase in PHASES}


@dataclass(slots=True)
class PowerQuality:
    """Everything of ET09 but the outages; by phase 1, 2, 3.

    ``long_outage`` is the threshold in seconds (ET09.0): a shorter outage is only
    counted in ``short_outages``.
    """

    long_outage: int = 60
    sags: dict[int, Tally] = field(default_factory=_tallies)
    second_sags: dict[int, Tally] = field(default_factory=_tallies)
    surges: dict[int, Tally] = field(default_factory=_tallies)
    phase_losses: dict[int, Tally] = field(default_factory=_tallies)
    lost_phases: set[int] = field(default_factory=set)
    over_currents: dict[int, int] = field(
        default_factory=lambda: dict.fromkeys(PHASES, 0)
    )
    lowest: Extreme = field(default_factory=lambda: Extreme(50000))
    highest: Extreme = field(default_factory=lambda: Extreme(50000))
    short_outages: int = 0
    distortions: dict[tuple[str, int], Distortion] = field(default_factory=_distortions)
    transgressions: list[Transgression] = field(default_factory=list)  # newest first

    def frequency(self, value: int, time: datetime) -> None:
        """Note a frequency, if it is an extreme one."""
        if value < self.lowest.value:
            self.lowest = Extreme(value, time)
        if value > self.highest.value:
            self.highest = Extreme(value, time)

    def thd(
        self, kind: str, phase: int, maximum: int, average: int, time: datetime
    ) -> None:
        """Note a THD event: kind of ``DISTORTIONS``, values in 1/1000."""
        known = self.distortions[kind, phase]
        self.distortions[kind, phase] = Distortion(
            known.count + 1, time, maximum, time, average
        )

    def transgression(self, drp: int, drc: int, time: datetime) -> None:
        """Note a DRP/DRC event."""
        self.transgressions.insert(0, Transgression(drp, drc, time))
        del self.transgressions[_DRP_RECORDS:]


def _utc(*parts: int) -> datetime:
    year, month, day, hour, minute, second = parts
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


# The three outages that every new simulated meter has behind it: 86,412 seconds.
OLD_OUTAGES: tuple[Outage, ...] = (
    Outage(_utc(2024, 9, 2, 6, 14, 5), _utc(2024, 9, 3, 4, 14, 5)),
    Outage(_utc(2024, 11, 19, 21, 40, 33), _utc(2024, 11, 19, 23, 38, 53)),
    Outage(_utc(2024, 12, 11, 9, 2, 47), _utc(2024, 12, 11, 9, 4, 39), brownout=True),
)


def past_quality() -> PowerQuality:
    """Return the record of a meter that had been at work for some months."""
    quality = PowerQuality()
    quality.sags[1].add(_utc(2024, 10, 7, 17, 31, 12), 198730)
    quality.sags[1].add(_utc(2024, 12, 24, 16, 58, 3), 204115)
    quality.sags[3].add(_utc(2024, 12, 24, 16, 58, 3), 201660)
    quality.second_sags[1].add(_utc(2024, 10, 7, 17, 31, 14), 171220)
    quality.surges[2].add(_utc(2024, 10, 30, 11, 4, 55), 254870)
    quality.over_currents[2] = 1
    quality.phase_losses[3].add(_utc(2024, 9, 2, 6, 13, 58))
    quality.short_outages = 4
    quality.frequency(49763, _utc(2024, 10, 12, 6, 0, 9))
    quality.frequency(50184, _utc(2024, 11, 3, 23, 1, 41))
    quality.thd("voltage", 2, 61, 54, _utc(2024, 12, 2, 18, 22, 10))
    quality.thd("current", 1, 187, 143, _utc(2024, 12, 5, 7, 10, 30))
    quality.thd("current", 1, 212, 160, _utc(2024, 12, 18, 19, 41, 0))
    quality.transgression(12, 3, _utc(2024, 12, 9, 0, 0, 1))
    return quality
