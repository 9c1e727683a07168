"""Tests of what the system information tells of the meters."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.system_health import get_info
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .common import make_entry, poll, set_up
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .test_texts import TEXTS
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def facts(hass: HomeAssistant) -> dict[str, Any]:
    """Return what the system information tells of the integration."""
    assert await async_setup_component(hass, "system_health", {})
    await hass.async_block_till_done()
    return (await get_info(hass))[DOMAIN]


async def test_one_meter(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """Each fact of the only meter, with a text for each."""
    entry = await set_up(hass, make_entry(meter, url))
    told = await facts(hass)
    now = host_clock.now()
    assert told == {
        "meters": 1,
        "security": "digest",
        "last_reading": told["last_reading"],
        "load_profile_since": told["load_profile_since"],
        "last_import": "–",
    }
    assert told.keys() == TEXTS["system_health"]["info"].keys()
    assert told["last_reading"] <= now.isoformat()
    # All 90 blocks of a day are in use, and the newest is not full.
    since = datetime.fromisoformat(told["load_profile_since"])
    assert timedelta(days=89) <= now - since < timedelta(days=89, minutes=1)
    secrets = (KEY, url, str(entry.unique_id), entry.title)
    assert not any(secret in str(told) for secret in secrets)


async def test_link_is_down(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What is known stays; a meter that does not answer is not waited for."""
    await set_up(hass, make_entry(meter, url))
    before = await facts(hass)
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    assert await facts(hass) == before | {"load_profile_since": "Failed: unreachable"}


async def test_not_loaded(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """A meter that is not loaded is counted, and told of as far as it is known."""
    entry = await set_up(hass, make_entry(meter, url))
    before = await facts(hass)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert await facts(hass) == before | {"load_profile_since": "Failed: unreachable"}


@pytest.mark.parametrize(("code", "told"), [(0x05, "–"), (0x0B, "Failed: unreachable")])
async def test_no_load_profile(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, code: int, told: str
) -> None:
    """A load profile that the meter lacks is not one that could not be read."""
    await set_up(hass, make_entry(meter, url))
    meter.add_fault(Fault(kind="refuse", table=61, code=code))
    assert (await facts(hass))["load_profile_since"] == told


async def test_several_meters(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock
) -> None:
    """The facts of several meters are told by their places in the list."""
    other = SimulatedMeter(
        PROFILES["gen4"], key=KEY.encode()[:16], clock=clock, paced=False
    )
    async with serve_tcp(other) as second:
        await set_up(hass, make_entry(meter, url))
        entry = make_entry(other, second)
        entry.add_to_hass(hass)
        hass.config_entries.async_update_entry(
            entry, data={**entry.data, "security": "rc4"}
        )
        await set_up(hass, entry)
        told = await facts(hass)
        await hass.config_entries.async_unload(entry.entry_id)
        reaches = (await facts(hass))["load_profile_since"]
    assert told["meters"] == 2
    assert told["security"] == "1: digest; 2: RC4"
    assert told["last_import"] == "1: –; 2: –"
    assert told["last_reading"].count(" UTC") == 2
    assert told["load_profile_since"].count(" UTC") == 2
    assert reaches.endswith(" UTC; 2: unreachable")


async def test_no_meter(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """Without a meter there is nothing to tell."""
    entry = await set_up(hass, make_entry(meter, url))
    await hass.config_entries.async_remove(entry.entry_id)
    assert await facts(hass) == {"meters": 0}
