"""Power quality: ET09 after its outage records."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from .fields import TableData, optional_date_time
from .outages import OUTAGE_RECORD_LENGTH

_PHASES = 3
_PHASE_EVENTS_LENGTH = 8
_DISTORTIONS = {"voltage": 151, "current": 221}
_DISTORTION_LENGTH = 22
_DEEP_SAGS_THRESHOLD = 479
_DEEP_SAGS = 480
_NO_DEEP_SAGS = 255

# Ends of the parts of the table that are used, counted from the end of the outage
# records plus 6 as the guide counts, with the first firmware versions that have them.
_BASIC_END = 139
_DISTORTIONS_END = 287
_DEEP_SAGS_END = 504
_ENDS = (
    ((0, 0), _BASIC_END),
    ((3, 10), _DISTORTIONS_END),
    ((4, 10), _DEEP_SAGS_END),
)


def power_quality_offset(outage_records: int) -> int:
    """Return where ET09 continues after its outage records (ET04.53 of them)."""
    return OUTAGE_RECORD_LENGTH * outage_records + 6


def power_quality_length(
    firmware_version: tuple[int, int, int], outage_records: int
) -> int:
    """Return how much of ET09 is used in meters of a firmware version."""
    return OUTAGE_RECORD_LENGTH * outage_records + max(
        end for first, end in _ENDS if firmware_version[:2] >= first
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEvents:
    """Events of one kind on one phase: how many, and the last one.

    last is None where there was none. voltage is the extreme voltage of the last
    one, in mV, and None for kinds that have none.
    """

    count: int
    last: datetime | None
    voltage: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrequencyExtreme:
    """The lowest or highest frequency, in mHz; time is None where there is none."""

    frequency: int
    time: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDistortion:
    """Total harmonic distortion of one phase; maximum and average in 0.1 %.

    last is the time of the last event and maximum_time that of the maximum; they
    are None where there was none.
    """

    last: datetime | None
    maximum: int
    maximum_time: datetime | None
    average: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerQuality:
    """ET09 after its outage records. Times are in UTC.

    Tuples of three are by phase. distortions (since 3.10) are those of "voltage" and
    "current"; deep_sags (since 4.10) count sags below a second threshold, and are
    None where the meter does not look for them.
    """

    sags: tuple[PhaseEvents, ...]
    swells: tuple[PhaseEvents, ...]
    minimum_frequency: FrequencyExtreme
    maximum_frequency: FrequencyExtreme
    overcurrents: tuple[int, ...]
    phase_losses: tuple[PhaseEvents, ...]
    short_outages: int
    distortions: Mapping[str, tuple[PhaseDistortion, ...]]
    deep_sags: tuple[int, ...] | None


def decode_power_quality(
    data: bytes, outage_records: int, start: int = 0
) -> PowerQuality:
    """Decode ET09, from the offset start on, up to power_quality_length().

    outage_records is ET04.53, start at most power_quality_offset(). A part is
    decoded where data reaches to its end.
    """
    table = TableData("ET09", data, start=start)
    base = OUTAGE_RECORD_LENGTH * outage_records
    available = start + len(data) - base
    return PowerQuality(
        sags=_phase_events(table, base + 6, base + 111),
        swells=_phase_events(table, base + 30, base + 123),
        minimum_frequency=_frequency_extreme(table, base + 54),
        maximum_frequency=_frequency_extreme(table, base + 64),
        overcurrents=tuple(
            table.uint(base + 74 + 4 * phase, 4) for phase in range(_PHASES)
        ),
        phase_losses=_phase_events(table, base + 87),
        short_outages=table.uint(base + 135, 4),
        distortions=(
            {
                name: _phase_distortions(table, base + offset)
                for name, offset in _DISTORTIONS.items()
            }
            if available >= _DISTORTIONS_END
            else {}
        ),
        deep_sags=_deep_sags(table, base) if available >= _DEEP_SAGS_END else None,
    )


def _phase_events(
    table: TableData, offset: int, voltages: int | None = None
) -> tuple[PhaseEvents, ...]:
    return tuple(
        PhaseEvents(
            count=table.uint(offset + _PHASE_EVENTS_LENGTH * phase + 6, 2),
            last=optional_date_time(table, offset + _PHASE_EVENTS_LENGTH * phase, UTC),
            voltage=None if voltages is None else table.int32(voltages + 4 * phase),
        )
        for phase in range(_PHASES)
    )


def _frequency_extreme(table: TableData, offset: int) -> FrequencyExtreme:
    return FrequencyExtreme(
        frequency=table.int32(offset),
        time=optional_date_time(table, offset + 4, UTC),
    )


def _phase_distortions(table: TableData, offset: int) -> tuple[PhaseDistortion, ...]:
    places = (offset + _DISTORTION_LENGTH * phase for phase in range(_PHASES))
    return tuple(
        PhaseDistortion(
            last=optional_date_time(table, place + 2, UTC),
            maximum=table.uint(place + 8, 2),
            maximum_time=optional_date_time(table, place + 10, UTC),
            average=table.uint(place + 16, 2),
        )
        for place in places
    )


def _deep_sags(table: TableData, base: int) -> tuple[int, ...] | None:
    if table.uint(base + _DEEP_SAGS_THRESHOLD) == _NO_DEEP_SAGS:
        return None
    return tuple(sag.count for sag in _phase_events(table, base + _DEEP_SAGS))


def power_quality_values(
    quality: PowerQuality, phases: Collection[int] = (1, 2, 3)
) -> dict[str, float | int | datetime]:
    """Return the values of ET09 that an owner can use, by key, for the meter's phases.

    Voltages are in V, frequencies in Hz, distortions in percent. The time and the
    extremes of what never happened are left out, and deep sags where the meter
    does not look for them.
    """
    values: dict[str, float | int | datetime] = {"short_outages": quality.short_outages}
    for name, extreme in (
        ("minimum_frequency", quality.minimum_frequency),
        ("maximum_frequency", quality.maximum_frequency),
    ):
        if extreme.time is not None:
            values[name] = extreme.frequency / 1000
            values[f"{name}_time"] = extreme.time
    for phase in phases:
        values |= {
            f"{key}_l{phase}": value
            for key, value in _phase_values(quality, phase - 1).items()
        }
    return values


def _phase_values(
    quality: PowerQuality, index: int
) -> dict[str, float | int | datetime]:
    values: dict[str, float | int | datetime] = {
        "overcurrents": quality.overcurrents[index]
    }
    for name, events in (
        ("sag", quality.sags[index]),
        ("swell", quality.swells[index]),
        ("phase_loss", quality.phase_losses[index]),
    ):
        values["phase_losses" if name == "phase_loss" else f"{name}s"] = events.count
        if events.last is not None:
            values[f"last_{name}"] = events.last
            if events.voltage is not None:
                values[f"{name}_voltage"] = events.voltage / 1000
    if quality.deep_sags is not None:
        values["deep_sags"] = quality.deep_sags[index]
    for name, distortions in quality.distortions.items():
        distortion = distortions[index]
        if distortion.maximum_time is not None:
            values[f"maximum_thd_{name}"] = distortion.maximum / 10
        if distortion.last is not None:
            values[f"average_thd_{name}"] = distortion.average / 10
    return values
