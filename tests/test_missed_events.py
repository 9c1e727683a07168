"""Tests of what the meter logs while Home Assistant is off or starts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.nes_mep.const import DOMAIN
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, EVENT_STATE_CHANGED
from homeassistant.core import CoreState, Event, HomeAssistant

from .common import entity_ids, make_entry, pass_time, poll, set_up
from .driven_clock import DrivenClock
from .simulator import SimulatedMeter
from .triggers import automate, device_of
from .values import Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


class House:
    """A Home Assistant that watches a meter's event log, and is restarted."""

    def __init__(
        self, hass: HomeAssistant, clock: DrivenClock, entry: MockConfigEntry
    ) -> None:
        """Initialize; the meter is set up."""
        self._hass = hass
        self._clock = clock
        self._entry = entry
        self._changes: list[Event[Any]] = async_capture_events(
            hass, EVENT_STATE_CHANGED
        )

    async def stop(self) -> None:
        """Stop Home Assistant: what it did not store is lost."""
        entry_id = self._entry.entry_id
        assert await self._hass.config_entries.async_unload(entry_id)
        await poll(self._hass, 5)
        self._hass.data[DOMAIN].pop(entry_id)

    async def start(self) -> None:
        """Start it again, and poll the meter twice."""
        assert await self._hass.config_entries.async_setup(self._entry.entry_id)
        await self._hass.async_block_till_done(wait_background_tasks=True)
        for _ in range(2):
            await self.wait(11)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await pass_time(self._hass, self._clock, seconds)

    def told(self) -> list[int]:
        """Return the numbers of the entries that were told since the last time."""
        entity_id = entity_ids(self._hass, self._entry)["meter_event"]
        told: list[int] = []
        for change in self._changes:
            state = change.data["new_state"]
            if change.data["entity_id"] != entity_id or not state:
                continue
            number = state.attributes.get("sequence_number")
            # A restored state is not told again.
            before = change.data["old_state"]
            if number and before and before.state != "unavailable":
                told.append(number)
        self._changes.clear()
        return told


@pytest.fixture
async def house(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    everything_enabled: None,
    hass_storage: dict[str, Any],
) -> House:
    """Return a house with a meter whose events are watched, none of them told."""
    house = House(hass, host_clock, await set_up(hass, make_entry(meter, url)))
    await house.wait(11)
    assert house.told() == []
    return house


async def test_while_off(house: House, meter: SimulatedMeter, clock: Clock) -> None:
    """What was logged before the stop and while it was off is told once, in order."""
    numbers = [meter.log_event(89).number]
    await house.wait(60)
    assert house.told() == []
    await house.stop()
    for minutes in (1, 2):
        clock.now += timedelta(minutes=minutes)
        numbers.append(meter.log_event(89).number)
    await house.start()
    assert house.told() == numbers
    for _ in range(2):
        await house.wait(300)
        await house.stop()
        await house.start()
    assert house.told() == []
    number = meter.log_event(47).number
    await house.wait(300)
    assert house.told() == [number]


async def test_long_absence(house: House, meter: SimulatedMeter) -> None:
    """Of many entries, the newest 20 are told, and none of the others later."""
    await house.stop()
    numbers = [meter.log_event(9).number for _ in range(30)]
    await house.start()
    assert house.told() == numbers[-20:]
    await house.wait(300)
    assert house.told() == []


@pytest.mark.parametrize(
    ("profile", "events"),
    [("fw_3_50", 0), ("fw_3_50", 2), ("fw_3_50", 10), ("fw_3_70", 30)],
)
async def test_log_was_cleared(
    house: House, meter: SimulatedMeter, clock: Clock, events: int
) -> None:
    """What was logged since the log was cleared is told, whatever its numbers are."""
    number = meter.log_event(89).number
    await house.wait(300)
    assert house.told() == [number]
    await house.stop()
    clock.now += timedelta(minutes=1)
    meter.clear_events()
    numbers = [meter.log_event(9).number for _ in range(events)]
    await house.start()
    assert house.told() == numbers[-20:]
    number = meter.log_event(89).number
    await house.wait(300)
    assert house.told() == [number]


@pytest.mark.parametrize("profile", ["fw_3_50"])
async def test_log_of_another_time(house: House, meter: SimulatedMeter) -> None:
    """Entries that are older than what was told last are not new, nor told later."""
    number = meter.log_event(89).number
    await house.wait(300)
    assert house.told() == [number]
    await house.stop()
    meter.clear_events()
    for _ in range(2 * number):
        meter.log_event(9, time=datetime(2026, 1, 1, tzinfo=UTC))
    await house.start()
    assert house.told() == []
    await house.wait(300)
    assert house.told() == []
    number = meter.log_event(89).number
    await house.wait(300)
    assert house.told() == [number]


@pytest.mark.parametrize("profile", ["fw_3_70"])
async def test_event_in_both_logs(house: House, meter: SimulatedMeter) -> None:
    """An entry that stands in both logs is told once."""
    meter.log_event(89)
    number = meter.log_event(89, alternate=True).number
    await house.wait(300)
    assert house.told() == [number]
    await house.wait(300)
    assert house.told() == []


async def test_automations_start_later(
    hass: HomeAssistant, house: House, meter: SimulatedMeter
) -> None:
    """Nothing is told before automations watch, which is when Home Assistant started."""
    await house.stop()
    meter.log_event(89)
    hass.set_state(CoreState.starting)
    await house.start()
    await house.wait(600)
    assert house.told() == []
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "tampering_detected", target)
    await house.wait(600)
    assert not calls
    hass.set_state(CoreState.running)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    await hass.async_block_till_done()
    await house.wait(11)
    assert [call.data["event_type"] for call in calls] == ["magnetic_tamper"]
    assert len(house.told()) == 1
    await house.wait(300)
    assert len(calls) == 1
