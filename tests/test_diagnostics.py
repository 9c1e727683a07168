"""Tests of the diagnostics."""

import json

import pytest
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .common import make_entry, pass_time, set_up
from .simulator import SimulatedMeter
from .values import KEY, Stopwatch

pytestmark = [
    pytest.mark.usefixtures("enable_custom_integrations"),
    pytest.mark.parametrize("profile", ["mbus"]),
]


async def test_diagnostics(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    stopwatch: Stopwatch,
    hass_client: ClientSessionGenerator,
) -> None:
    """Everything about the meter is there, and nothing about whose it is."""
    assert await async_setup_component(hass, "diagnostics", {})
    entry = await set_up(hass, make_entry(meter, url))
    await pass_time(hass, stopwatch, 60)
    found = await get_diagnostics_for_config_entry(hass, hass_client, entry)

    assert found["identity"]["model"] == meter.profile.model
    assert found["register_map"]["dimensions"]["summations"] == 11
    assert found["registers"]["energy_import"] == {"table": 23, "offset": 0}
    assert found["values"]["energy_import"] == meter.truth()[0] / 1000
    assert found["link"]["requests"] > 0
    media = {device["medium"]: device for device in found["mbus_devices"]}
    assert media["gas"]["records"][0]["quantity"] == "volume"
    assert [bytes.fromhex(raw) for raw in media["heat"]["unknown_records"]]

    text = json.dumps(found)
    assert KEY not in text
    assert KEY.encode().hex() not in text
    assert meter.profile.serial_number not in text
    for number in ("30412877", "92752244", "66104935"):
        assert number not in text
    assert url not in text
