"""The import of the load profile through the optical port."""

from datetime import timedelta

import pytest

from ..common import entity_ids, set_up
from ..driven_clock import DrivenClock
from ..optical import make_optical_entry, served
from ..simulator import SimulatedMeter
from ..simulator.optical import Right
from .house import HOUR, House, expect_truth


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
