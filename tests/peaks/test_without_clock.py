"""Averages of a meter whose key does not reach its clock, at the optical port."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from homeassistant.core import HomeAssistant

from ..common import entity_ids, set_up
from ..driven_clock import DrivenClock
from ..optical import make_optical_entry, served
from ..simulator import SimulatedMeter
from ..simulator.catalogue import EVERY_PROFILE
from ..simulator.optical import Right
from .house import House, SteadyClock, local

QUARTER = timedelta(minutes=15)


@pytest.mark.usefixtures("enable_custom_integrations", "socket_enabled")
async def test_clock_of_home_assistant(
    hass: HomeAssistant, host_clock: DrivenClock, hass_storage: dict[str, Any]
) -> None:
    """Intervals begin by Home Assistant's clock, whatever the meter's shows."""
    steady = SteadyClock(host_clock, local("2026-06-17 07:41"))
    hass.data["nes_mep_clock"] = steady
    meter = SimulatedMeter(
        EVERY_PROFILE["lp_none"],
        clock=lambda: steady.now() + timedelta(minutes=5),
        paced=False,
    )
    async with served(meter, host_clock, unlisted=Right.UNIQUE) as (_, url):
        house = House(hass, host_clock, steady, meter, url)
        house.entry = await set_up(hass, make_optical_entry(meter, url))
        house.ids = entity_ids(hass, house.entry)
        start = local("2026-06-17 07:45")
        await house.live(start + QUARTER + timedelta(minutes=1))
        last = house.state("last_interval_power_import")
        assert datetime.fromisoformat(last.attributes["interval_start"]) == start
        ahead = timedelta(minutes=5)
        assert float(last.state) == pytest.approx(
            house.truth(start + ahead, start + ahead + QUARTER), abs=50
        )
        assert house.shown("interval_power_import") is not None
        assert await hass.config_entries.async_unload(house.entry.entry_id)
