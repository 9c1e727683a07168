"""The long-term statistics of entities: reading and completing them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.util.unit_conversion import (
    BaseUnitConverter,
    DurationConverter,
    EnergyConverter,
    ReactiveEnergyConverter,
)

from .gaps import HOUR, Point, RecordedHour, Series, hour_of
from .rows import Filling

_CONVERTERS: Final[Mapping[str, type[BaseUnitConverter]]] = {
    converter.UNIT_CLASS: converter
    for converter in (DurationConverter, EnergyConverter, ReactiveEnergyConverter)
}
_LAST_PERIOD: Final = timedelta(minutes=55)
"""Where the last of the 5-minute rows of an hour begins."""
_ALL: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Statistic:
    """The long-term statistics of an entity, and the unit wanted for its values."""

    entity_id: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the recorder has for an entity, in the unit of its Statistic."""

    series: Series
    metadata: StatisticMetaData
    per_unit: float
    """How many of the stored unit make one of the Statistic's unit."""


def is_recording(hass: HomeAssistant) -> bool:
    """Return whether Home Assistant keeps statistics."""
    return "recorder" in hass.config.components


def sum_retention(hass: HomeAssistant) -> timedelta:
    """Return how long the recorder remembers a sum while an entity is not available."""
    return timedelta(days=get_instance(hass).keep_days) - HOUR


async def async_read(
    hass: HomeAssistant, statistics: Iterable[Statistic], since: datetime | None
) -> dict[str, Recorded]:
    """Return what was recorded for entities, by entity id.

    Entities without rows, or whose unit cannot be converted, are left out. The result
    has at least what was recorded after since, and the row before it.
    """
    return await get_instance(hass).async_add_executor_job(
        _read, hass, tuple(statistics), since
    )


def _read(
    hass: HomeAssistant, statistics: tuple[Statistic, ...], since: datetime | None
) -> dict[str, Recorded]:
    """Read the statistics of entities, one after the other."""
    found: dict[str, Recorded] = {}
    known = get_metadata(
        hass, statistic_ids={statistic.entity_id for statistic in statistics}
    )
    for statistic in statistics:
        if statistic.entity_id not in known:
            continue
        _, metadata = known[statistic.entity_id]
        if (per_unit := _per_unit(metadata, statistic.unit)) is None:
            continue
        series = _series(hass, statistic, metadata, since or _ALL)
        if since and not any(hour < since for hour in series.hours):
            series = _series(hass, statistic, metadata, _ALL)
        found[statistic.entity_id] = Recorded(series, metadata, per_unit)
    return found


def _per_unit(metadata: StatisticMetaData, unit: str | None) -> float | None:
    """Return how many of the stored unit make one unit, None if they do not convert."""
    stored = metadata["unit_of_measurement"]
    if unit is None or stored == unit:
        return 1.0
    converter = _CONVERTERS.get(metadata["unit_class"] or "")
    if converter is None or not {unit, stored} <= converter.VALID_UNITS:
        return None
    return converter.convert(1.0, unit, stored)


def _series(
    hass: HomeAssistant,
    statistic: Statistic,
    metadata: StatisticMetaData,
    since: datetime,
) -> Series:
    """Return the rows of an entity since a time, and how complete they are."""
    rows: dict[str, dict[datetime, Point]] = {}
    units = None
    if metadata["unit_class"] and statistic.unit:
        units = {metadata["unit_class"]: statistic.unit}
    for period in ("hour", "5minute"):
        found = statistics_during_period(
            hass,
            since - 2 * HOUR,
            None,
            {statistic.entity_id},
            period,
            units,
            {"state", "sum"},
        )
        rows[period] = {
            datetime.fromtimestamp(row["start"], UTC): Point(row["state"], row["sum"])
            for row in found.get(statistic.entity_id, [])
            if row["state"] is not None and row["sum"] is not None
        }
    return _as_series(rows["hour"], rows["5minute"])


def _as_series(
    hours: Mapping[datetime, Point], moments: Mapping[datetime, Point]
) -> Series:
    """Combine hourly and 5-minute rows, both in order, into a series.

    An hour that has 5-minute rows and none of its own was not compiled when due.
    """
    newest = hour_of(max(moments)) if moments else None
    first: dict[datetime, Point] = {}
    last: dict[datetime, Point] = {}
    for moment, point in moments.items():
        first.setdefault(hour_of(moment), point)
        last[hour_of(moment)] = point
    recorded = {
        hour: RecordedHour(
            point, complete=hour not in last or hour + _LAST_PERIOD in moments
        )
        for hour, point in hours.items()
    } | {
        hour: RecordedHour(point, complete=False, stored=False)
        for hour, point in last.items()
        if hour not in hours and hour != newest
    }
    return Series(
        hours=dict(sorted(recorded.items())),
        current=(newest, first[newest]) if newest and newest not in hours else None,
    )


async def async_write(
    hass: HomeAssistant, statistic: Statistic, recorded: Recorded, filling: Filling
) -> None:
    """Write what fills the gaps of an entity, in the stored unit.

    The sums of later rows are adjusted first; the recorder processes all of it in this
    order.
    """
    instance = get_instance(hass)
    stored_unit = recorded.metadata["unit_of_measurement"]
    for adjustment in filling.adjustments:
        instance.async_adjust_statistics(
            statistic.entity_id,
            adjustment.hour,
            adjustment.amount * recorded.per_unit,
            stored_unit or "",
        )
    if filling.rows:
        async_import_statistics(
            hass,
            recorded.metadata,
            [
                StatisticData(
                    start=row.hour,
                    state=row.state * recorded.per_unit,
                    sum=row.sum * recorded.per_unit,
                )
                for row in filling.rows
            ],
        )
    await instance.async_block_till_done()
