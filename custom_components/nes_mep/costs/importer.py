"""Giving the imported hours of one meter their costs in the Energy dashboard."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from homeassistant.core import HomeAssistant
from homeassistant.util.json import JsonObjectType

from ..history import HistoryError, NoRecorderError
from ..history.recorder import is_recording
from ..history.spans import HOUR, Span
from ..osgp import REQUEST_PERIOD, HostClock, Meter, RefusalError, best_data_set
from .energy import EnergyCost, async_energy_costs
from .prices import Prices, prices_of_changes
from .recorder import (
    RecordedCosts,
    async_read_costs,
    async_read_energy,
    async_read_price_changes,
    async_write_costs,
)
from .request import CostRequest
from .rows import (
    CostFilling,
    CostSeries,
    CostSkip,
    EnergyRow,
    costs_of_hours,
    fill_costs,
    hours_to_price,
    spans_to_read,
)

type Hours = frozenset[datetime]


class NotInEnergyError(HistoryError):
    """Energy uses none of the meter's entities in the asked direction."""

    translation_key = "not_in_energy"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSource:
    """Where prices come from: Energy's settings or the request, fixed or an entity."""

    origin: str
    price: float | None = None
    entity_id: str | None = None

    @property
    def as_json(self) -> JsonObjectType:
        """Plain values."""
        return {
            "origin": self.origin,
            "price": self.price,
            "price_entity": self.entity_id,
        }


@dataclass(slots=True, kw_only=True)
class _Series:
    """What is known about one cost entity, and what to do with it."""

    cost: EnergyCost
    recorded: RecordedCosts | None
    energies: Mapping[datetime, EnergyRow]
    hours: list[datetime]
    prices: Prices
    source: PriceSource
    filling: CostFilling = field(default_factory=CostFilling)

    @property
    def currency(self) -> str | None:
        """The currency of the recorded costs."""
        metadata = self.recorded.metadata if self.recorded else None
        return metadata["unit_of_measurement"] if metadata else None

    @property
    def as_json(self) -> JsonObjectType:
        """Plain values; first and last are the starts of hours, in UTC."""
        filling = self.filling
        hours = sorted(filling.rows)
        return {
            "cost_entity": self.cost.cost_id,
            "direction": self.cost.direction.value,
            "currency": self.currency,
            "price_source": self.source.as_json,
            "hours_written": len(hours),
            "first_hour": hours[0].isoformat() if hours else None,
            "last_hour": hours[-1].isoformat() if hours else None,
            "cost_before": round(filling.before, 4),
            "cost_after": round(filling.after, 4),
            "skipped_hours": {skip.value: n for skip, n in filling.skipped.items()},
        }


@dataclass(frozen=True, slots=True)
class CostImport:
    """What was done, by the id of the energy entity."""

    series: Mapping[str, _Series]
    dry_run: bool

    @property
    def priced(self) -> dict[str, tuple[datetime, ...]]:
        """The hours that have their cost now, by the key of the energy entity."""
        return {each.cost.key: each.filling.hours for each in self.series.values()}

    @property
    def skipped(self) -> Counter[CostSkip]:
        """How many hours were not priced, and why."""
        return sum(
            (each.filling.skipped for each in self.series.values()), Counter[CostSkip]()
        )

    @property
    def hours_written(self) -> int:
        """The rows that were written, of all series."""
        return sum(len(each.filling.rows) for each in self.series.values())

    @property
    def as_json(self) -> JsonObjectType:
        """Plain values."""
        return {
            "dry_run": self.dry_run,
            "hours_written": self.hours_written,
            "series": {
                energy_id: each.as_json for energy_id, each in self.series.items()
            },
        }


class CostImporter:
    """Prices the hours that Energy could not price, in Energy's own statistics."""

    def __init__(
        self,
        hass: HomeAssistant,
        meter: Meter,
        *,
        clock: HostClock,
        entity_ids: Callable[[], Mapping[str, str]],
        imported_hours: Callable[[], Mapping[str, Iterable[Span]]],
    ) -> None:
        """Initialize; entity_ids returns the enabled entities by key.

        imported_hours returns the spans of hours that were imported, by key.
        """
        self._hass = hass
        self._meter = meter
        self._clock = clock
        self._entity_ids = entity_ids
        self._imported_hours = imported_hours

    async def async_import(
        self, request: CostRequest, priced: Mapping[str, Hours]
    ) -> CostImport:
        """Price hours; those in priced are priced again only if a span is asked for.

        Raises NoRecorderError, NotInEnergyError, and MeterError if the load profile is
        needed and cannot be read.
        """
        if not is_recording(self._hass):
            raise NoRecorderError
        costs = [
            cost
            for cost in await async_energy_costs(self._hass, self._entity_ids())
            if request.direction in {None, cost.direction}
        ]
        if not costs:
            raise NotInEnergyError
        all_series = [
            await self._async_series(cost, request, priced.get(cost.key, frozenset()))
            for cost in costs
        ]
        readings, interval = await self._async_readings(all_series)
        for series in all_series:
            series.filling = self._filling(
                series, readings.get(series.cost.key, {}), interval
            )
            if series.recorded and not request.dry_run:
                await async_write_costs(self._hass, series.recorded, series.filling)
        return CostImport(
            {series.cost.energy_id: series for series in all_series}, request.dry_run
        )

    async def _async_series(
        self, cost: EnergyCost, request: CostRequest, priced: Hours
    ) -> _Series:
        """Find out which hours of a cost entity to price, and the prices of them."""
        energies = await async_read_energy(self._hass, cost.energy_id)
        recorded = cost.cost_id and await async_read_costs(self._hass, cost.cost_id)
        series = recorded.series if recorded else CostSeries()
        is_asked = request.is_asked
        if request.start is None and request.end is None:

            def is_asked(hour: datetime) -> bool:
                return hour not in priced or hour not in series.rows

        source, prices = await self._async_prices(cost, request)
        return _Series(
            cost=cost,
            recorded=recorded or None,
            energies=energies,
            hours=hours_to_price(
                series,
                energies,
                hours_of(self._imported_hours().get(cost.key, ())),
                is_asked,
            ),
            prices=prices.scaled(request.factor, request.addend),
            source=source,
        )

    async def _async_prices(
        self, cost: EnergyCost, request: CostRequest
    ) -> tuple[PriceSource, Prices]:
        """Return the prices of an energy, and where they are from."""
        if request.prices is not None:
            return PriceSource(origin="action"), request.prices
        origin, entity_id = "action", request.price_entity
        if entity_id is None:
            origin, entity_id = "energy", cost.price_entity
        if entity_id is not None:
            changes = await async_read_price_changes(self._hass, entity_id)
            prices = prices_of_changes(changes, self._clock.now())
            return PriceSource(origin=origin, entity_id=entity_id), prices
        if cost.price is not None:
            source = PriceSource(origin=origin, price=cost.price)
            return source, Prices.always(cost.price)
        return PriceSource(origin=origin), Prices()

    async def _async_readings(
        self, all_series: Iterable[_Series]
    ) -> tuple[dict[str, dict[datetime, float]], timedelta]:
        """Return the readings of the load profile that are needed, by key and time.

        The interval is what lies between them. There are none if the meter records
        none.
        """
        spans: dict[str, list[Span]] = {}
        for series in all_series:
            if needed := spans_to_read(series.hours, series.energies, series.prices):
                spans[series.cost.key] = needed
        readings: dict[str, dict[datetime, float]] = {key: {} for key in spans}
        if not spans:
            return readings, timedelta(0)
        try:
            sets = await self._meter.read_load_profile_sets()
        except RefusalError:
            return readings, timedelta(0)
        best = best_data_set(sets, spans)
        if best is None:
            return readings, timedelta(0)
        for start, end in sorted({span for each in spans.values() for span in each}):
            download = self._meter.load_profile(
                start, end, data_set=best.number, period=REQUEST_PERIOD
            )
            async for batch in download:
                for interval in batch.intervals:
                    for key in readings.keys() & interval.values.keys():
                        readings[key][interval.end] = interval.values[key]
        return readings, best.interval

    def _filling(
        self, series: _Series, readings: Mapping[datetime, float], interval: timedelta
    ) -> CostFilling:
        """Return what to write for one cost entity."""
        if series.recorded is None:
            return _skipped(series, CostSkip.NO_COST_SERIES)
        # Energy shows its costs in the new currency at once, but records none.
        if series.currency != self._hass.config.currency:
            return _skipped(series, CostSkip.OTHER_CURRENCY)
        costs = costs_of_hours(
            series.hours, series.energies, series.prices, readings, interval
        )
        return fill_costs(series.recorded.series, costs)


def _skipped(series: _Series, reason: CostSkip) -> CostFilling:
    """Return that nothing is written, for one reason."""
    return CostFilling(skipped=+Counter({reason: len(series.hours)}))


def hours_of(spans: Iterable[Span]) -> Hours:
    """Return the hours in spans."""
    return frozenset(
        start + number * HOUR
        for start, end in spans
        for number in range((end - start) // HOUR)
    )
