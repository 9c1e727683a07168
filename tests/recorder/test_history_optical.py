"""The import of the load profile through the optical port."""

from datetime import timedelta

import pytest

from custom_components.nes_mep.history.drift import least_drift

from ..common import entity_ids, set_up
from ..driven_clock import DrivenClock
from ..optical import make_optical_entry, served
from ..simulator import SimulatedMeter
from ..simulator.optical import Right
from ..values import NOON
from .house import HOUR, House, expect_truth
from .test_history_outages import DAY, state_of_import


@pytest.mark.parametrize(
    ("profile", "unlisted"), [("gen4", Right.READ_ONLY), ("gen3", Right.UNIQUE)]
)
async def test_first_day(
    house: House,
    socket_enabled: None,
    meter: SimulatedMeter,
    host_clock: DrivenClock,
    unlisted: Right,
) -> None:
    """The past is there, also where the key does not reach the meter's clock."""
    async with served(meter, host_clock, unlisted=unlisted) as (_, url):
        entry = await set_up(house.hass, make_optical_entry(meter, url))
        ids = entity_ids(house.hass, entry)
        await house.pass_time(HOUR + timedelta(minutes=15))
        for key, source in (("energy_import", 0), ("energy_export", 1)):
            assert len(await expect_truth(house, meter, ids[key], source)) >= 24
        assert house.hass.states.get(ids["history_progress"]).state == "complete"
        await house.hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("ahead", [DAY, -7 * DAY])
async def test_wrong_clock_out_of_reach(
    house: House,
    socket_enabled: None,
    meter: SimulatedMeter,
    host_clock: DrivenClock,
    ahead: timedelta,
) -> None:
    """What was recorded shows that the clock is wrong: the import waits for a person."""
    meter.clock_offset = ahead.total_seconds()
    async with served(meter, host_clock, unlisted=Right.UNIQUE) as (_, url):
        entry = await set_up(house.hass, make_optical_entry(meter, url))
        entity_id = entity_ids(house.hass, entry)["energy_import"]
        await house.pass_time(HOUR + timedelta(minutes=15))
        assert list(await house.by_hour(entity_id)) == [NOON]
        assert state_of_import(house.hass) == "waiting"
        await house.hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    ("newest", "drift"),
    [(-20, -3), (-17, 0), (-1, 0), (0, 0), (1, 1), (1440, 1440)],
)
def test_least_drift(newest: int, drift: int) -> None:
    """In minutes: the newest interval ended within the last one and its recording."""
    found = least_drift(NOON + timedelta(minutes=newest), timedelta(minutes=15), NOON)
    assert found == timedelta(minutes=drift)
