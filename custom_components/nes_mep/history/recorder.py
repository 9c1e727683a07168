"""The long-term statistics of entities: reading and completing them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import (
    StatisticData,
    StatisticMeanType,
    StatisticMetaData,
)
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
    MassConverter,
    PowerConverter,
    ReactiveEnergyConverter,
    VolumeConverter,
)

from .gaps import Point, RecordedHour, Series
from .means import MeanRow
from .memory import Identity, Interruptions
from .rows import Filling
from .spans import EVER, HOUR, Spans, contains, hour_of

_CONVERTERS: Final[Mapping[str, type[BaseUnitConverter]]] = {
    converter.UNIT_CLASS: converter
    for converter in (
        DurationConverter,
        EnergyConverter,
        PowerConverter,
        ReactiveEnergyConverter,
        VolumeConverter,
        MassConverter,
    )
}
_LAST_PERIOD: Final = timedelta(minutes=55)
"""Where the last of the 5-minute rows of an hour begins."""
_PERIOD: Final = timedelta(minutes=5)
_ALL: Final = datetime.fromtimestamp(0, UTC)
_BEFORE: Final = (2 * HOUR, timedelta(days=40))
"""How long before a span its last complete row is looked for, before all rows are."""


@dataclass(frozen=True, slots=True)
class Statistic:
    """The long-term statistics of an entity, and the unit wanted for its values."""

    entity_id: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the rows of an entity: which statistic they are, and imported.

    interruptions tells which rows were not read at their end.
    """

    identity: Identity | None
    imported: Spans
    interruptions: Interruptions

    def is_complete(self, hour: datetime) -> bool:
        """Return whether the row of an hour has the reading at its end."""
        return contains(self.imported, hour) or not self.interruptions.include(
            hour + HOUR
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The statistic of an entity.

    is_known says whether it is the one that is known; if not, nothing of what is known
    about it holds.
    """

    metadata: StatisticMetaData
    per_unit: float
    """How many of the stored unit make one of the Statistic's unit."""
    number: int
    is_known: bool


@dataclass(frozen=True, slots=True)
class Recorded(Found):
    """What the recorder has for a register's entity, in the unit of its Statistic."""

    series: Series


@dataclass(frozen=True, slots=True)
class RecordedMeans(Found):
    """Which hours have a row of an entity whose statistics are means."""

    hours: frozenset[datetime]


def is_recording(hass: HomeAssistant) -> bool:
    """Return whether Home Assistant keeps statistics."""
    return "recorder" in hass.config.components


def is_excluded(hass: HomeAssistant, entity_id: str) -> bool:
    """Return whether the user has excluded an entity in the recorder."""
    entity_filter = get_instance(hass).entity_filter
    return entity_filter is not None and not entity_filter(entity_id)


def sum_retention(hass: HomeAssistant) -> timedelta:
    """Return how long the recorder remembers a sum while an entity is not available."""
    return timedelta(days=get_instance(hass).keep_days) - HOUR


def read(
    hass: HomeAssistant, statistic: Statistic, known: Known, since: datetime
) -> Recorded | None:
    """Return what was recorded for an entity. It waits for the database.

    None if there is nothing, or its unit cannot be converted. The result has at least
    what was recorded after since, and the complete row before it. It has everything if
    the statistic is not the one that is known.
    """
    if (found := _find(hass, statistic, known.identity)) is None:
        return None
    metadata, is_known = found.metadata, found.is_known
    if not is_known:
        known, since = Known(None, (), known.interruptions), EVER
    begins = [since - before for before in _BEFORE] if since > _ALL else []
    series = Series({})
    for begin in (*begins, _ALL):
        series = _series(hass, statistic, metadata, known, begin)
        if any(hour < since for hour, _ in series.complete):
            break
    return Recorded(metadata, found.per_unit, found.number, is_known, series)


def read_means(
    hass: HomeAssistant, statistic: Statistic, known: Known, since: datetime
) -> RecordedMeans | None:
    """Return which hours since a time have a mean. It waits for the database.

    None if there is no such statistic, or its unit cannot be converted. The result has
    everything if the statistic is not the one that is known.
    """
    if (found := _find(hass, statistic, known.identity)) is None:
        return None
    if found.metadata["mean_type"] is not StatisticMeanType.ARITHMETIC:
        return None
    begin = max(since, _ALL) if found.is_known else _ALL
    rows = statistics_during_period(
        hass, begin, None, {statistic.entity_id}, "hour", None, {"mean"}
    )
    hours = frozenset(
        datetime.fromtimestamp(row["start"], UTC)
        for row in rows.get(statistic.entity_id, [])
    )
    return RecordedMeans(
        found.metadata, found.per_unit, found.number, found.is_known, hours
    )


def _find(
    hass: HomeAssistant, statistic: Statistic, known: Identity | None
) -> Found | None:
    """Return the statistic of an entity, None if its unit cannot be converted."""
    found = get_metadata(hass, statistic_ids={statistic.entity_id})
    if statistic.entity_id not in found:
        return None
    number, metadata = found[statistic.entity_id]
    if (per_unit := _per_unit(metadata, statistic.unit)) is None:
        return None
    is_known = _is_known(hass, statistic, number, known)
    return Found(metadata, per_unit, number, is_known)


def _is_known(
    hass: HomeAssistant, statistic: Statistic, number: int, known: Identity | None
) -> bool:
    """Return whether a statistic is the one that is known; unknown ones are."""
    if known is None:
        return True
    if known.number != number:
        return False
    return bool(
        statistics_during_period(
            hass,
            known.witness,
            known.witness + HOUR,
            {statistic.entity_id},
            "hour",
            None,
            {"state"},
        )
    )


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
    known: Known,
    begin: datetime,
) -> Series:
    """Return the rows of an entity from a time on, and how complete they are."""
    rows: dict[str, dict[datetime, Point]] = {}
    units = None
    if metadata["unit_class"] and statistic.unit:
        units = {metadata["unit_class"]: statistic.unit}
    for period in ("hour", "5minute"):
        found = statistics_during_period(
            hass, begin, None, {statistic.entity_id}, period, units, {"state", "sum"}
        )
        rows[period] = {
            datetime.fromtimestamp(row["start"], UTC): Point(row["state"], row["sum"])
            for row in found.get(statistic.entity_id, [])
            if row["state"] is not None and row["sum"] is not None
        }
    return _as_series(rows["hour"], rows["5minute"], known)


def _as_series(
    hours: Mapping[datetime, Point], moments: Mapping[datetime, Point], known: Known
) -> Series:
    """Combine hourly and 5-minute rows, both in order, into a series.

    An hour is incomplete if its last 5 minutes have no row while others of it have one.
    """
    begun = {hour_of(moment) for moment in moments}
    newest = max(begun, default=None)
    current = None
    if newest is not None and newest not in hours:
        current = next(
            (
                (newest, point)
                for moment, point in moments.items()
                if hour_of(moment) == newest
                and not known.interruptions.include(moment + _PERIOD)
            ),
            None,
        )
    return Series(
        hours={
            hour: RecordedHour(
                point,
                complete=known.is_complete(hour)
                and (
                    hour not in begun
                    or hour + _LAST_PERIOD in moments
                    or contains(known.imported, hour)
                ),
            )
            for hour, point in hours.items()
        },
        current=current,
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
    if rows := (*filling.rows, *filling.carried):
        async_import_statistics(
            hass,
            recorded.metadata,
            [
                StatisticData(
                    start=row.hour,
                    state=row.state * recorded.per_unit,
                    sum=row.sum * recorded.per_unit,
                )
                for row in rows
            ],
        )
    await instance.async_block_till_done()


async def async_write_means(
    hass: HomeAssistant, recorded: RecordedMeans, rows: Iterable[MeanRow]
) -> None:
    """Write rows of means, in the stored unit."""
    per_unit = recorded.per_unit
    async_import_statistics(
        hass,
        recorded.metadata,
        [
            StatisticData(
                start=row.hour,
                mean=row.mean * per_unit,
                min=row.min * per_unit,
                max=row.max * per_unit,
            )
            for row in rows
        ],
    )
    await get_instance(hass).async_block_till_done()
