"""Power quality: ET09 after its outage records."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from .fields import TableData, optional_date_time
from .outages import OUTAGE_RECORD_LENGTH

_PHASES = 3
_THD_RECORDS = 3
_THD_RECORD_LENGTH = 70
_THD_PHASE_LENGTH = 22
_TRANSGRESSIONS = 12
_TRANSGRESSION_LENGTH = 10
_DEEP_SAGS_OFF = 255

# Ends of the parts of the table, counted from the end of the outage records plus 6
# as the guide counts, with the first firmware versions that have the part.
_BASIC_END = 139
_CONFIGURATION_END = 144
_THD_END = 357
_TRANSGRESSIONS_END = 477
_DEEP_SAGS_END = 518
_OPTIONS_END = 519
_ENDS = (
    ((0, 0), _BASIC_END),
    ((2, 12), _CONFIGURATION_END),
    ((3, 10), _THD_END),
    ((3, 70), _TRANSGRESSIONS_END),
    ((4, 10), _DEEP_SAGS_END),
    ((4, 21), _OPTIONS_END),
)


def power_quality_offset(outage_records: int) -> int:
    """Return where ET09 goes on after its outage records (ET04.53 of them)."""
    return OUTAGE_RECORD_LENGTH * outage_records + 6


def power_quality_length(
    firmware_version: tuple[int, int, int], outage_records: int
) -> int:
    """Return the length of ET09 that meters of a firmware version have."""
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
class PowerQualityConfiguration:
    """The part since 2.12.

    threshold_seconds are added to the minutes of the time threshold of sags and
    swells.
    """

    identifier: int
    threshold_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseDistortion:
    """Total harmonic distortion of one phase; maximum and average in 0.1 %.

    last is the time of the last event and maximum_time that of the maximum; they
    are None where there was none.
    """

    count: int
    last: datetime | None
    maximum: int
    maximum_time: datetime | None
    average: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DistortionRecord:
    """Total harmonic distortion of the voltage, current or apparent power.

    time_threshold is in seconds, threshold in 0.1 %; 0 means that nothing is
    recorded.
    """

    time_threshold: int
    threshold: int
    phases: tuple[PhaseDistortion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distortion:
    """The part since 3.10. The times are in seconds."""

    hold_time: int
    overcurrent_time: int
    voltage: DistortionRecord
    current: DistortionRecord
    apparent_power: DistortionRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageTransgression:
    """A record of the part since 3.70: DRP and DRC, in 0.1 %."""

    relative_duration: int
    critical_duration: int
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSags:
    """The part since 4.10: sags below a second threshold.

    time_threshold and averaging_interval (of the average currents) are in seconds,
    threshold in percent below the rated voltage. enabled says whether the meter
    looks for them.
    """

    time_threshold: int
    threshold: int
    phases: tuple[PhaseEvents, ...]
    averaging_interval: int

    @property
    def enabled(self) -> bool:
        """Whether the threshold can be reached."""
        return self.threshold != _DEEP_SAGS_OFF


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerQuality:
    """ET09 after its outage records. Times are in UTC.

    Tuples of three are by phase. Parts that the meter does not have are None.
    early_events (since 4.21) says whether sags and swells are logged already when
    they begin.
    """

    sags: tuple[PhaseEvents, ...]
    swells: tuple[PhaseEvents, ...]
    minimum_frequency: FrequencyExtreme
    maximum_frequency: FrequencyExtreme
    overcurrents: tuple[int, ...]
    phases_lost: tuple[bool, ...]
    phase_losses: tuple[PhaseEvents, ...]
    short_outages: int
    configuration: PowerQualityConfiguration | None
    distortion: Distortion | None
    transgressions: tuple[VoltageTransgression, ...] | None
    deep_sags: DeepSags | None
    early_events: bool | None


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
        phases_lost=tuple(table.bit(base + 86, phase) for phase in range(_PHASES)),
        phase_losses=_phase_events(table, base + 87),
        short_outages=table.uint(base + 135, 4),
        configuration=(
            PowerQualityConfiguration(
                identifier=table.uint(base + 139, 4),
                threshold_seconds=table.uint(base + 143),
            )
            if available >= _CONFIGURATION_END
            else None
        ),
        distortion=_distortion(table, base) if available >= _THD_END else None,
        transgressions=(
            _transgressions(table, base) if available >= _TRANSGRESSIONS_END else None
        ),
        deep_sags=(
            DeepSags(
                time_threshold=table.uint(base + 477, 2),
                threshold=table.uint(base + 479),
                phases=_phase_events(table, base + 480, base + 504),
                averaging_interval=table.uint(base + 516, 2),
            )
            if available >= _DEEP_SAGS_END
            else None
        ),
        early_events=(table.bit(base + 518, 0) if available >= _OPTIONS_END else None),
    )


def _phase_events(
    table: TableData, offset: int, voltages: int | None = None
) -> tuple[PhaseEvents, ...]:
    return tuple(
        PhaseEvents(
            count=table.uint(offset + 8 * phase + 6, 2),
            last=optional_date_time(table, offset + 8 * phase, UTC),
            voltage=None if voltages is None else table.int32(voltages + 4 * phase),
        )
        for phase in range(_PHASES)
    )


def _frequency_extreme(table: TableData, offset: int) -> FrequencyExtreme:
    return FrequencyExtreme(
        frequency=table.int32(offset),
        time=optional_date_time(table, offset + 4, UTC),
    )


def _distortion(table: TableData, base: int) -> Distortion:
    voltage, current, apparent_power = (
        _distortion_record(table, base + 147 + _THD_RECORD_LENGTH * record)
        for record in range(_THD_RECORDS)
    )
    return Distortion(
        hold_time=table.uint(base + 144),
        overcurrent_time=table.uint(base + 145, 2),
        voltage=voltage,
        current=current,
        apparent_power=apparent_power,
    )


def _distortion_record(table: TableData, offset: int) -> DistortionRecord:
    return DistortionRecord(
        time_threshold=table.uint(offset, 2),
        threshold=table.uint(offset + 2, 2),
        phases=tuple(
            PhaseDistortion(
                count=table.uint(place, 2),
                last=optional_date_time(table, place + 2, UTC),
                maximum=table.uint(place + 8, 2),
                maximum_time=optional_date_time(table, place + 10, UTC),
                average=table.uint(place + 16, 2),
            )
            for place in range(
                offset + 4, offset + _THD_RECORD_LENGTH, _THD_PHASE_LENGTH
            )
        ),
    )


def _transgressions(table: TableData, base: int) -> tuple[VoltageTransgression, ...]:
    records: list[VoltageTransgression] = []
    for record in range(_TRANSGRESSIONS):
        offset = base + _THD_END + _TRANSGRESSION_LENGTH * record
        time = optional_date_time(table, offset + 4, UTC)
        if time is not None:
            records.append(
                VoltageTransgression(
                    relative_duration=table.uint(offset, 2),
                    critical_duration=table.uint(offset + 2, 2),
                    time=time,
                )
            )
    return tuple(records)


def power_quality_values(
    quality: PowerQuality, phases: Collection[int] = (1, 2, 3)
) -> dict[str, float | int | datetime]:
    """Return what an owner can use of ET09, by key, for the phases of the meter.

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
    if quality.deep_sags is not None and quality.deep_sags.enabled:
        values["deep_sags"] = quality.deep_sags.phases[index].count
    if quality.distortion is not None:
        for name, record in (
            ("voltage", quality.distortion.voltage),
            ("current", quality.distortion.current),
        ):
            distortion = record.phases[index]
            if distortion.maximum_time is not None:
                values[f"maximum_thd_{name}"] = distortion.maximum / 10
            if distortion.last is not None:
                values[f"average_thd_{name}"] = distortion.average / 10
    return values
