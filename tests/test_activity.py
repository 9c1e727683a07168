"""Tests of what Activity shows of a link that goes down, with a real recorder."""

from collections import Counter
from datetime import timedelta

import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .common import entity_ids, make_entry, poll, set_up
from .simulator import Fault, SimulatedMeter


@pytest.mark.parametrize("profile", ["gen3", "mbus"])
async def test_lines_of_an_outage(
    recorder_mock: Recorder,
    enable_custom_integrations: None,
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Only the link has lines: that it failed, and that it recovered."""
    for component in ("http", "logbook"):
        assert await async_setup_component(hass, component, {})
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    await async_wait_recording_done(hass)
    start = dt_util.utcnow()
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    meter.clear_faults()
    await poll(hass)
    await async_wait_recording_done(hass)

    client = await hass_ws_client()
    await client.send_json_auto_id(
        {
            "type": "logbook/get_events",
            "start_time": start.isoformat(),
            "end_time": (dt_util.utcnow() + timedelta(minutes=1)).isoformat(),
        }
    )
    answer = await client.receive_json()
    keys = {entity_id: key for key, entity_id in entity_ids(hass, entry).items()}
    lines = Counter(
        keys.get(line.get("entity_id"), "other") for line in answer["result"]
    )
    assert lines == {"link_problem": 2, "link": 2}
