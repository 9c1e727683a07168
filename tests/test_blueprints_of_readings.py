"""Tests of the blueprints that act on readings: fuse, peak, voltage, solar surplus."""

from datetime import timedelta
from pathlib import Path
import shutil
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    async_fire_time_changed,
    async_mock_service,
)

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .test_blueprints import AUTOMATION, FOLDER

CURRENTS = [f"sensor.current_l{phase}" for phase in (1, 2, 3)]
VOLTAGES = [f"sensor.voltage_l{phase}" for phase in (1, 2, 3)]
NET_POWER = "sensor.net_power"
MINUTE = {"minutes": 1}


class House:
    """A house with readings and an automation made from a blueprint."""

    def __init__(self, hass: HomeAssistant, folder: Path) -> None:
        """Copy the blueprints to where Home Assistant looks for them."""
        shutil.copytree(FOLDER, folder / "blueprints")
        hass.config.config_dir = str(folder)
        self._hass = hass

    async def automate(self, blueprint: str, **inputs: Any) -> None:
        """Make the automation."""
        use = {"path": f"{DOMAIN}/{blueprint}.yaml", "input": inputs}
        config = {"automation": {"alias": "Test", "use_blueprint": use}}
        assert await async_setup_component(self._hass, "automation", config)
        await self._hass.async_block_till_done()
        assert self._hass.states.get(AUTOMATION).state == "on"

    async def read(self, seconds: float = 61, **values: float | str) -> None:
        """Show readings by the ends of their entity ids, and let them last."""
        for entity_id in (*CURRENTS, *VOLTAGES, NET_POWER):
            name = entity_id.removeprefix("sensor.")
            if name in values:
                self._hass.states.async_set(
                    entity_id, str(values[name]), {"friendly_name": name}
                )
        await self._hass.async_block_till_done()
        async_fire_time_changed(
            self._hass, dt_util.utcnow() + timedelta(seconds=seconds)
        )
        await self._hass.async_block_till_done()


@pytest.fixture
async def house(hass: HomeAssistant, tmp_path: Path) -> House:
    """Return a house in which all is well."""
    house = House(hass, tmp_path)
    await house.read(
        0,
        **dict.fromkeys(("current_l1", "current_l2", "current_l3"), 5),
        **dict.fromkeys(("voltage_l1", "voltage_l2", "voltage_l3"), 230),
        net_power=400,
    )
    return house


@pytest.fixture
def told(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the notifications."""
    return async_mock_service(hass, "notify", "phone")


def tell(message: str) -> list[dict[str, Any]]:
    """Return the actions that a user enters for a notification."""
    return [{"action": "notify.phone", "data": {"message": message}}]


def messages(told: list[ServiceCall]) -> list[str]:
    """Return what was told so far, and forget it."""
    found = [call.data["message"] for call in told]
    told.clear()
    return found


async def test_fuse(house: House, told: list[ServiceCall]) -> None:
    """A phase that stays above the limit is told, and that all are below it again."""
    await house.automate(
        "fuse_guard",
        currents=CURRENTS,
        limit=22,
        duration=MINUTE,
        too_high=tell("{{ phase }} {{ current }}"),
        normal=tell("normal"),
    )
    await house.read(current_l2=21.5)
    await house.read(59, current_l2=25)
    await house.read(current_l2=20)
    # After a short peak as well: it was not below the limit all the time.
    assert messages(told) == ["normal"]
    await house.read(current_l2=25)
    assert messages(told) == ["current_l2 25"]
    await house.read(current_l3=24, current_l2=10)
    assert messages(told) == ["current_l3 24"]
    await house.read(current_l3="unavailable")
    await house.read(current_l3=3)
    assert messages(told)[-1:] == ["normal"]


async def test_voltage(house: House, told: list[ServiceCall]) -> None:
    """A voltage outside the band is told, whichever way."""
    await house.automate(
        "voltage_band",
        voltages=VOLTAGES,
        duration=MINUTE,
        outside=tell("{{ phase }} {{ voltage }}"),
    )
    await house.read(voltage_l1=252.9, voltage_l2=207.1)
    assert messages(told) == []
    await house.read(voltage_l1=253.4)
    assert messages(told) == ["voltage_l1 253.4"]
    await house.read(voltage_l2=201)
    assert messages(told) == ["voltage_l2 201"]


async def test_peak(hass: HomeAssistant, house: House, told: list[ServiceCall]) -> None:
    """An average that is going to exceed the peak is told, and that it is not any more."""
    interval, peak = "sensor.interval_power", "sensor.month_peak"

    async def show(projected: float | None, highest: float | str = "unknown") -> None:
        hass.states.async_set(interval, "800", {"projected": projected})
        hass.states.async_set(peak, str(highest))
        await house.read()

    await show(None)
    await house.automate(
        "peak_guard",
        interval_power=interval,
        peak=peak,
        too_high=tell("{{ projected }} {{ limit }}"),
        normal=tell("normal"),
    )
    await show(2400)
    # On the first day of a month, what costs nothing more is the peak.
    assert messages(told) == ["normal"]
    await show(2600)
    assert messages(told) == ["2600.0 2500.0"]
    await show(2600, 3100)
    assert messages(told) == ["normal"]
    await show(3400, 3100)
    assert messages(told) == ["3400.0 3100.0"]
    await show(None, 3100)
    assert messages(told) == []
    # The next interval has a higher peak to compare with.
    await show(3200, 3300)
    assert messages(told) == ["normal"]


async def test_surplus(hass: HomeAssistant, house: House) -> None:
    """The appliance is on while there is power to spare, and off when there is not."""
    on = async_mock_service(hass, "homeassistant", "turn_on")
    off = async_mock_service(hass, "homeassistant", "turn_off")
    await house.automate(
        "solar_surplus",
        net_power=NET_POWER,
        appliance={"entity_id": "switch.boiler"},
        surplus=1500,
        duration=MINUTE,
    )
    await house.read(59, net_power=-2000)
    await house.read(net_power=-1000)
    assert not on
    await house.read(net_power=-1500)
    assert [call.data["entity_id"] for call in on] == [["switch.boiler"]]
    await house.read(net_power="unavailable")
    await house.read(net_power=90)
    assert not off
    await house.read(net_power=101)
    assert [call.data["entity_id"] for call in off] == [["switch.boiler"]]
