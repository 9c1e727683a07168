"""Tests of what goes wrong with imported statistics, if one does not take care."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import async_capture_events

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.osgp import NoReplyError
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import get_metadata
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er

from ..common import entity_ids, make_entry, own_log, set_up
from ..simulator import Fault, SimulatedMeter, serve_tcp
from ..values import NOON
from .house import HOUR, House, expect_truth, hourly_truth, import_history, read_for

OTHER = "sensor.other"


def count_other(hass: HomeAssistant, reading: float) -> None:
    """Let an energy meter of another integration have a reading."""
    hass.states.async_set(
        OTHER,
        str(reading),
        {
            "device_class": "energy",
            "state_class": "total_increasing",
            "unit_of_measurement": "kWh",
        },
    )


async def test_hour_not_made_yet(
    house: House, meter: SimulatedMeter, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A full hour whose statistics are not made yet is left alone.

    Else the recorder could not make them, and every entity would lose its hour.
    """
    entry = await set_up(house.hass, make_entry(meter, url, import_history=False))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    for minute in range(0, 55, 5):
        count_other(house.hass, minute)
        await house.step()
    count_other(house.hass, 60)
    await house.skip(timedelta(minutes=5))
    assert house.now == NOON + HOUR
    answer = await import_history(house.hass)
    assert answer["entities"][entity_id]["last_hour"] == (NOON - HOUR).isoformat()
    await house.compile(NOON + timedelta(minutes=55))
    assert list(await house.by_hour(OTHER)) == [NOON]
    assert NOON in await house.by_hour(entity_id)
    assert "Blocked attempt to insert duplicated" not in caplog.text


async def test_no_row_yet(house: House, meter: SimulatedMeter, url: str) -> None:
    """Before Home Assistant has a row of its own, nothing is written.

    Else its sums would begin at 0 after those that were written.
    """
    entry = await set_up(house.hass, make_entry(meter, url, import_history=False))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    with pytest.raises(HomeAssistantError, match=r"has no statistics .* so far"):
        await import_history(house.hass)
    await house.settle()
    assert not await house.by_hour(entity_id)

    await house.pass_time(timedelta(minutes=65))
    answer = await import_history(house.hass)
    assert answer["entities"][entity_id]["hours_written"] > 24
    await house.settle()
    await expect_truth(house, meter, entity_id, 0)


@pytest.mark.parametrize("days", [20])
@pytest.mark.usefixtures("socket_enabled")
async def test_longer_than_the_purge(
    house: House, meter: SimulatedMeter, port: int
) -> None:
    """After so long a time that the recorder forgot the sum, it goes on again."""
    entity_id = await read_for(house, meter, port, timedelta(minutes=75))
    await house.pass_time(timedelta(minutes=10))
    await house.skip(timedelta(days=12))
    await house.hass.services.async_call("recorder", "purge", {}, blocking=True)
    await house.settle()
    assert not await house.rows(entity_id, "5minute")

    async with serve_tcp(meter, port=port):
        await house.pass_time(timedelta(minutes=75))
        hours = await expect_truth(house, meter, entity_id, 0)
        assert len(hours) > 30 * 24
        sums = await house.by_hour(entity_id, "sum")
        assert list(sums.values()) == sorted(sums.values())
        # The five minutes now go on from there.
        await house.pass_time(HOUR)
        await expect_truth(house, meter, entity_id, 0)


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("unit", ["MWh", "Wh", "MJ"])
async def test_another_unit(
    house: House, meter: SimulatedMeter, port: int, unit: str
) -> None:
    """Where the user has chosen another unit, the past has it too."""
    per_kwh = {"MWh": 0.001, "Wh": 1000, "MJ": 3.6}[unit]
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve_tcp(meter, port=port))
        entry = make_entry(meter, url)
        entry.add_to_hass(house.hass)
        registry = er.async_get(house.hass)
        entity_id = registry.async_get_or_create(
            "sensor", DOMAIN, f"{entry.unique_id}_energy_import", config_entry=entry
        ).entity_id
        registry.async_update_entity_options(
            entity_id, "sensor", {"unit_of_measurement": unit}
        )
        await house.hass.config_entries.async_setup(entry.entry_id)
        await house.pass_time(timedelta(minutes=75))
    found = get_metadata(house.hass, statistic_ids={entity_id})
    assert found[entity_id][1]["unit_of_measurement"] == unit
    await house.pass_time(2 * HOUR)
    # Showing it in another unit again changes nothing of what is stored.
    registry.async_update_entity_options(
        entity_id, "sensor", {"unit_of_measurement": "kWh"}
    )
    async with serve_tcp(meter, port=port):
        await house.pass_time(timedelta(minutes=75))
    found = get_metadata(house.hass, statistic_ids={entity_id})
    assert found[entity_id][1]["unit_of_measurement"] == unit
    rows = await house.rows(entity_id)  # in the unit that is shown
    hours = [row["start"] for row in rows]
    assert hours == [hours[0] + n * HOUR for n in range(len(hours))]
    truth = hourly_truth(meter, 0, hours[1:])
    assert {row["start"]: row["change"] for row in rows[1:]} == pytest.approx(
        truth, abs=1e-3 / per_kwh if unit == "MWh" else 1e-3
    )


@pytest.mark.usefixtures("socket_enabled")
async def test_corrected_sums(house: House, meter: SimulatedMeter, port: int) -> None:
    """What the user has corrected by hand is not touched."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(serve_tcp(meter, port=port))
        entry = await set_up(house.hass, make_entry(meter, url, import_history=False))
        entity_id = entity_ids(house.hass, entry)["energy_import"]
        await house.pass_time(HOUR)
    await house.pass_time(3 * HOUR)
    async with serve_tcp(meter, port=port):
        await house.pass_time(2 * HOUR)
        get_instance(house.hass).async_adjust_statistics(
            entity_id, NOON + 4 * HOUR, -0.4, "kWh"
        )
        await house.settle()
        before = await house.rows(entity_id)
        answer = await import_history(house.hass, start=NOON.isoformat())
        await house.settle()
    assert answer["entities"][entity_id]["skipped_hours"] == {"sums_do_not_fit": 3}
    assert await house.rows(entity_id) == before


async def test_without_recorder(
    hass: HomeAssistant,
    enable_custom_integrations: None,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Without the recorder the meter is read; the action says what is missing."""
    await set_up(hass, make_entry(meter, url))
    with pytest.raises(HomeAssistantError, match="the recorder is not set up"):
        await import_history(hass)


async def test_empty_span(
    hass: HomeAssistant,
    enable_custom_integrations: None,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A span that ends before it begins is a mistake of the user."""
    await set_up(hass, make_entry(meter, url))
    with pytest.raises(ServiceValidationError, match="before the end"):
        await import_history(hass, start="2026-02-02 00:00", end="2026-02-01 00:00")


@pytest.mark.usefixtures("socket_enabled")
async def test_link_fails_meanwhile(
    house: House,
    meter: SimulatedMeter,
    port: int,
) -> None:
    """A download goes on where it stopped when the link is back."""
    block_reads: list[Any] = []

    async def cut() -> None:
        """Serve the meter, cut the link in the midst, and serve it again."""
        async with serve_tcp(meter, port=port):
            served.set()
            while len(block_reads) < 4:
                await asyncio.sleep(0)
                block_reads[:] = [r for r in meter.requests if r.table == 64]
        was_cut.set()
        for _ in range(500):
            await asyncio.sleep(0)
        async with serve_tcp(meter, port=port):
            await over.wait()

    served, was_cut, over = asyncio.Event(), asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(cut())
    await served.wait()
    entry = await set_up(
        house.hass,
        make_entry(meter, f"socket://127.0.0.1:{port}", import_history=False),
    )
    await house.pass_time(timedelta(minutes=65))
    changes = async_capture_events(house.hass, EVENT_STATE_CHANGED)
    answer = await import_history(house.hass)
    await house.settle()
    assert was_cut.is_set()
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    assert answer["entities"][entity_id]["hours_written"] > 24
    # What had been read is not read again.
    parts = [(r.offset, r.count) for r in meter.requests if r.table == 64]
    assert len(parts) - len(set(parts)) <= 2
    await expect_truth(house, meter, entity_id, 0)
    shown = [
        progress
        for event in changes
        if event.data["entity_id"] == "sensor.smart_meter_history_import"
        and (progress := event.data["new_state"].attributes["progress"]) is not None
    ]
    assert shown[0] == 0
    assert shown[-1] == 100
    assert shown == sorted(shown)
    over.set()
    await task


async def test_refused(
    house: House, meter: SimulatedMeter, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A meter that refuses its load profile is not asked again and again."""
    meter.add_fault(Fault(kind="refuse", table=64, code=0x05))
    await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=40))
    (problem,) = (text for level, text in own_log(caplog) if level == "WARNING")
    assert "the history cannot be imported" in problem
    assert sum(request.table == 64 for request in meter.requests) == 1


async def test_data_sets_refused(house: House, meter: SimulatedMeter, url: str) -> None:
    """Where the meter does not tell what it records, there is no load profile."""
    meter.add_fault(Fault(kind="refuse", table=63, code=0x03))
    await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=10))
    with pytest.raises(HomeAssistantError, match="has no load profile"):
        await import_history(house.hass)


async def test_link_fails_at_first(
    house: House, meter: SimulatedMeter, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be read now is read after the next statistics."""
    with patch(
        "custom_components.nes_mep.osgp.Meter.read_load_profile_sets",
        side_effect=NoReplyError("silence"),
    ):
        entry = await set_up(house.hass, make_entry(meter, url))
        await house.pass_time(timedelta(minutes=10))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    assert not await house.by_hour(entity_id)
    assert any("the history was not imported" in text for _, text in own_log(caplog))

    await house.pass_time(timedelta(minutes=60))
    assert min(await expect_truth(house, meter, entity_id, 0)) < NOON - 24 * HOUR


async def test_removal(
    house: House, meter: SimulatedMeter, url: str, hass_storage: dict[str, Any]
) -> None:
    """With the entry goes what was noted about its history; the history stays."""
    entry = await set_up(house.hass, make_entry(meter, url))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    await house.pass_time(timedelta(minutes=65))
    kept = f"{DOMAIN}.{entry.entry_id}.history"
    assert "energy_import" in hass_storage[kept]["data"]["entities"]
    before = await house.rows(entity_id)
    await house.hass.config_entries.async_remove(entry.entry_id)
    await house.settle()
    assert kept not in hass_storage
    assert await house.rows(entity_id) == before


async def test_quiet(
    house: House, meter: SimulatedMeter, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An import is two lines of information in the log, and no warning."""
    await set_up(house.hass, make_entry(meter, url))
    caplog.clear()
    await house.pass_time(timedelta(minutes=65))
    lines = own_log(caplog)
    assert [level for level, _ in lines] == ["INFO", "INFO"]
    assert "reading the load profile from its beginning to" in lines[0][1]
    assert "hours of history were imported" in lines[1][1]
