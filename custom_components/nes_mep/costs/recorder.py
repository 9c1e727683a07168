"""What the recorder knows about energies, costs and prices, and writing costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, select

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.db_schema import RecorderRuns, States
from homeassistant.components.recorder.history import state_changes_during_period
from homeassistant.components.recorder.models import StatisticData, StatisticMetaData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.const import ATTR_UNIT_OF_MEASUREMENT, UnitOfEnergy
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers.recorder import session_scope
from homeassistant.util import dt as dt_util
from homeassistant.util.unit_conversion import EnergyConverter

from ..history.spans import HOUR
from .prices import PriceChange
from .rows import CostFilling, CostRow, CostSeries, EnergyRow

_BEGINNING: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class RecordedCosts:
    """What a cost entity has recorded, in its own unit."""

    series: CostSeries
    metadata: StatisticMetaData


async def async_read_energy(
    hass: HomeAssistant, entity_id: str
) -> dict[datetime, EnergyRow]:
    """Return what an energy entity has counted, by hour, in order."""
    return await _async_ask(hass, _read_energy, entity_id)


def _read_energy(hass: HomeAssistant, entity_id: str) -> dict[datetime, EnergyRow]:
    """Read the hourly rows of an energy entity."""
    energies: dict[datetime, EnergyRow] = {}
    end: datetime | None = None
    for row in _rows(hass, entity_id, "hour"):
        hour = _time(row["start"])
        start, end = end or hour, hour + HOUR
        if row["change"] is not None and row["state"] is not None:
            energies[hour] = EnergyRow(start, end, row["change"], row["state"])
    return energies


async def async_read_costs(hass: HomeAssistant, entity_id: str) -> RecordedCosts | None:
    """Return what a cost entity has recorded, None if it has no statistics."""
    return await _async_ask(hass, _read_costs, entity_id)


def _read_costs(hass: HomeAssistant, entity_id: str) -> RecordedCosts | None:
    """Read the rows of a cost entity."""
    known = get_metadata(hass, statistic_ids={entity_id})
    if entity_id not in known:
        return None
    rows = {
        _time(row["start"]): CostRow(
            row["state"],
            row["sum"],
            None if row["last_reset"] is None else _time(row["last_reset"]),
        )
        for row in _rows(hass, entity_id, "hour")
        if row["state"] is not None and row["sum"] is not None
    }
    recent = _rows(hass, entity_id, "5minute", max(rows, default=_BEGINNING))
    newest = max((_time(row["start"]) for row in recent), default=None)
    return RecordedCosts(CostSeries(rows, newest), known[entity_id][1])


def _rows(
    hass: HomeAssistant,
    entity_id: str,
    period: Any,
    start: datetime = _BEGINNING,
) -> list[Mapping[str, Any]]:
    """Read the rows of an entity since a time; energies are in kWh."""
    return [
        *statistics_during_period(
            hass,
            start,
            None,
            {entity_id},
            period,
            {EnergyConverter.UNIT_CLASS: UnitOfEnergy.KILO_WATT_HOUR},
            {"change", "last_reset", "state", "sum"},
        ).get(entity_id, [])
    ]


async def async_read_price_changes(
    hass: HomeAssistant, entity_id: str
) -> list[PriceChange]:
    """Return the prices per kWh that an entity has shown, and since when.

    While Home Assistant was off the price is not known, nor while the entity shows no
    number.
    """
    return await _async_ask(hass, _read_price_changes, entity_id)


def _read_price_changes(hass: HomeAssistant, entity_id: str) -> list[PriceChange]:
    """Read the states of a price entity."""
    states = state_changes_during_period(hass, _BEGINNING, entity_id=entity_id)
    return [
        *((state.last_changed, _price(state)) for state in states.get(entity_id, [])),
        *((time, None) for time in _stops(hass)),
    ]


def _price(state: State) -> float | None:
    """Return the price per kWh in a state.

    As Energy does, only what follows "/" in the unit is looked at, and anything but a
    unit of energy is taken for kWh.
    """
    try:
        value = float(state.state)
    except ValueError:
        return None
    per = str(state.attributes.get(ATTR_UNIT_OF_MEASUREMENT)).partition("/")[2]
    if per not in EnergyConverter.VALID_UNITS:
        return value
    return value * EnergyConverter.convert(1.0, UnitOfEnergy.KILO_WATT_HOUR, per)


def _stops(hass: HomeAssistant) -> list[datetime]:
    """Return when Home Assistant has stopped: the last that was recorded before a start.

    The end of a recorder's run does not tell: after a crash, it is the next start.
    """
    with session_scope(hass=hass, read_only=True) as session:
        last = [
            session.execute(
                select(func.max(States.last_updated_ts)).where(
                    States.last_updated_ts < dt_util.as_utc(start).timestamp()
                )
            ).scalar()
            for (start,) in session.execute(select(RecorderRuns.start)).all()
        ]
    return [_time(time) for time in last if time is not None]


async def async_write_costs(
    hass: HomeAssistant, recorded: RecordedCosts, filling: CostFilling
) -> None:
    """Write costs: adjust the sums of later rows first, as the recorder keeps order."""
    instance = get_instance(hass)
    metadata = recorded.metadata
    for adjustment in filling.adjustments:
        instance.async_adjust_statistics(
            metadata["statistic_id"],
            adjustment.hour,
            adjustment.amount,
            metadata["unit_of_measurement"] or "",
        )
    if filling.rows:
        async_import_statistics(
            hass,
            metadata,
            [
                StatisticData(
                    start=hour,
                    state=row.state,
                    sum=row.sum,
                    last_reset=row.last_reset,
                )
                for hour, row in filling.rows.items()
            ],
        )
    await instance.async_block_till_done()


async def _async_ask[R](hass: HomeAssistant, read: Callable[..., R], *args: str) -> R:
    """Read in the recorder's executor."""
    return await get_instance(hass).async_add_executor_job(read, hass, *args)


def _time(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
