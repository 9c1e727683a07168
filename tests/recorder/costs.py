"""Energy in a house: what the meter counts costs something."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from homeassistant.components.energy.data import async_get_manager
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from ..simulator import SimulatedMeter
from .house import HOUR, STEP, House, perform

QUARTER = timedelta(minutes=15)
PRICE = "sensor.price"

type Tariff = Callable[[datetime], float]
"""What a kWh costs at a time."""


def hourly(time: datetime) -> float:
    """Return a price that changes each hour, and is negative at times."""
    return round(0.21 * ((time.day * 24 + time.hour) * 7 % 11) / 4 - 0.1, 4)


def quarterly(time: datetime) -> float:
    """Return a price that changes each quarter of an hour."""
    quarter = time.minute // 15
    return round(hourly(time) + (quarter * 5 % 4) * 0.07, 4)


def listed(tariff: Tariff, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Return prices as the actions for day-ahead prices answer."""
    return [
        {
            "start": time.isoformat(),
            "end": (time + QUARTER).isoformat(),
            "price": tariff(time),
        }
        for time in (start + n * QUARTER for n in range((end - start) // QUARTER))
    ]


async def set_up_energy(hass: HomeAssistant, **source: Any) -> None:
    """Set the Energy dashboard to one grid connection."""
    if "energy" not in hass.config.components:
        assert await async_setup_component(hass, "energy", {})
    empty = dict.fromkeys(
        (
            "stat_energy_from",
            "stat_energy_to",
            "stat_cost",
            "stat_compensation",
            "entity_energy_price",
            "number_energy_price",
            "entity_energy_price_export",
            "number_energy_price_export",
        )
    )
    manager = await async_get_manager(hass)
    await manager.async_update(
        {
            "energy_sources": [
                {"type": "grid", "cost_adjustment_day": 0.0, **empty, **source}
            ]
        }
    )
    await hass.async_block_till_done(wait_background_tasks=True)


def show(hass: HomeAssistant, price: float | str, unit: str = "EUR/kWh") -> None:
    """Let the price entity show a price."""
    hass.states.async_set(PRICE, str(price), {"unit_of_measurement": unit})


async def live(house: House, time: timedelta, tariff: Tariff) -> None:
    """Let time pass in which the price entity shows its prices."""
    for _ in range(time // STEP):
        show(house.hass, tariff(house.now))
        await house.step()


def cost_entity(hass: HomeAssistant, energy_id: str, what: str = "cost") -> str:
    """Return the entity in which Energy counts what an energy costs."""
    energy = er.async_get(hass).async_get(energy_id)
    assert energy is not None
    found = er.async_get(hass).async_get_entity_id(
        "sensor", "energy", f"{energy.id}_grid_{what}"
    )
    assert found is not None
    return found


async def import_costs(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    """Perform the action and return its answer."""
    return await perform(hass, "import_costs", **data)


def true_costs(
    meter: SimulatedMeter, source: int, hours: Iterable[datetime], tariff: Tariff
) -> dict[datetime, float]:
    """Return what each hour really cost: each quarter's energy by its price."""
    factor = meter.truth()["energy_unit"] / 1000
    return {
        hour: sum(
            tariff(time)
            * factor
            * (
                meter.register_truth(source, time + QUARTER)
                - meter.register_truth(source, time)
            )
            for time in (hour + n * QUARTER for n in range(4))
        )
        for hour in hours
    }


async def expect_costs(
    house: House,
    meter: SimulatedMeter,
    cost_id: str,
    tariff: Tariff,
    *,
    source: int = 0,
    since: datetime | None = None,
    tolerance: float = 0.003,
) -> Mapping[datetime, float]:
    """Every hour is there and cost its energy by its price; return them.

    The first hour of the energy has none: its statistics begin with the reading then.
    """
    found = await house.by_hour(cost_id)
    hours = [hour for hour in found if since is None or hour >= since]
    assert hours == [hours[0] + n * HOUR for n in range(len(hours))]
    truth = true_costs(meter, source, hours[1:], tariff)
    assert {
        str(hour): (found[hour], true)
        for hour, true in truth.items()
        if found[hour] != pytest.approx(true, abs=tolerance)
    } == {}
    return found
