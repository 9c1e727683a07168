"""Tests of the sensors in the Energy dashboard, with a real recorder."""

from datetime import timedelta

from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util

from .common import entity_ids, make_entry, poll, set_up
from .simulator import SimulatedMeter
from .values import Clock


async def test_energy_dashboard(
    recorder_mock: Recorder,
    enable_custom_integrations: None,
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """Import, export and net power are accepted, and the energies have statistics."""
    assert await async_setup_component(hass, "energy", {})
    entry = await set_up(hass, make_entry(meter, url))
    clock.now += timedelta(minutes=4)
    await poll(hass)
    ids = entity_ids(hass, entry)
    await async_wait_recording_done(hass)
    now = dt_util.utcnow()
    do_adhoc_statistics(
        hass, start=now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0)
    )
    await async_wait_recording_done(hass)

    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "recorder/list_statistic_ids"})
    answer = await client.receive_json()
    statistics = {row["statistic_id"]: row for row in answer["result"]}
    for key in ("energy_import", "energy_export"):
        assert statistics[ids[key]]["has_sum"]
        assert statistics[ids[key]]["unit_class"] == "energy"
        assert statistics[ids[key]]["statistics_unit_of_measurement"] == "kWh"

    # The dashboard does not offer what was read on the last billing date.
    assert "billing_energy_import" in ids
    assert ids["billing_energy_import"] not in statistics

    await client.send_json_auto_id(
        {
            "type": "energy/save_prefs",
            "energy_sources": [
                {
                    "type": "grid",
                    "stat_energy_from": ids["energy_import"],
                    "stat_energy_to": ids["energy_export"],
                    "stat_rate": ids["power_net"],
                    "cost_adjustment_day": 0.0,
                }
            ],
        }
    )
    assert (await client.receive_json())["success"]
    await client.send_json_auto_id({"type": "energy/validate"})
    answer = await client.receive_json()
    assert answer["success"]
    assert answer["result"]["energy_sources"] == [[]]
