"""Tests of the meter's event log: the event entity and the action."""

from datetime import timedelta
from itertools import batched
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
import voluptuous as vol

from custom_components.nes_mep.const import DOMAIN
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant, ServiceResponse
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .common import entity_ids, make_entry, pass_time, poll, set_up, states, unavailable
from .driven_clock import DrivenClock
from .event_vectors import EVENTS
from .simulator import Fault, SimulatedMeter
from .values import NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


def told(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Return what the event entity shows."""
    state = hass.states.get(entity_ids(hass, entry)["meter_event"])
    shown = dict(state.attributes)
    del shown["event_types"], shown["friendly_name"]
    return shown


async def read_events(hass: HomeAssistant, **data: Any) -> ServiceResponse:
    """Call the action and return its response."""
    return await hass.services.async_call(
        DOMAIN, "read_events", data, blocking=True, return_response=True
    )


@pytest.mark.usefixtures("everything_enabled")
async def test_new_entries_are_told(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    host_clock: DrivenClock,
) -> None:
    """Entries from before the start are not told, those after it one by one."""
    entry = await set_up(hass, make_entry(meter, url))
    assert states(hass, entry)["meter_event"] == "unknown"
    await pass_time(hass, host_clock, 300)
    assert states(hass, entry)["meter_event"] == "unknown"

    clock.now += timedelta(minutes=2)
    number = meter.log_event(0x123, b"\x12\x34", 0xFFFD).number
    meter.log_event(27, b"\x01")
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    await pass_time(hass, host_clock, 300)
    entity_id = entity_ids(hass, entry)["meter_event"]
    numbers = [
        change.data["new_state"].attributes["sequence_number"]
        for change in changes
        if change.data["entity_id"] == entity_id
    ]
    assert numbers == [number, number + 1]
    assert told(hass, entry) == {
        "event_type": "tariff_switched",
        "sequence_number": number + 1,
        "time": "2026-06-21T12:02:00+00:00",
        "event_id": 27,
        "user": "none",
        "argument": "0100",
        "log": "BT74",
        "tariff": 2,
    }

    before = states(hass, entry)["meter_event"]
    await pass_time(hass, host_clock, 300)
    assert states(hass, entry)["meter_event"] == before


@pytest.mark.parametrize("profile", ["fw_3_70"])
@pytest.mark.usefixtures("everything_enabled")
async def test_every_event(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """Each event is told by its name and with its details, and the action has both."""
    entry = await set_up(hass, make_entry(meter, url))
    entity_id = entity_ids(hass, entry)["meter_event"]
    changes = async_capture_events(hass, EVENT_STATE_CHANGED)
    for batch in batched(EVENTS, 50, strict=False):  # the log has room for 100
        for event_id, argument, _, _ in batch:
            meter.log_event(event_id, bytes.fromhex(argument))
        await pass_time(hass, host_clock, 300)

    fields = ("event_id", "argument", "event_type")
    common = {*fields, "sequence_number", "time", "user", "log"}
    told = [
        change.data["new_state"].attributes
        for change in changes
        if change.data["entity_id"] == entity_id
    ]
    answer = await read_events(hass, config_entry_id=entry.entry_id, count=90)
    for events, known in ((told, EVENTS), (answer["events"], EVENTS[-90:])):
        shown = [
            (
                *(event[field] for field in fields),
                {
                    name: tuple(detail) if isinstance(detail, list) else detail
                    for name, detail in event.items()
                    if name not in common | {"event_types", "friendly_name"}
                },
            )
            for event in events
        ]
        assert shown == known


@pytest.mark.parametrize("profile", ["fw_3_70"])
@pytest.mark.usefixtures("everything_enabled")
async def test_alternate_log(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """Entries of the alternate log are told as well."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.log_event(9, user=0xFFFE, alternate=True)
    await pass_time(hass, host_clock, 300)
    shown = told(hass, entry)
    assert shown["log"] == "ET79"
    assert shown["event_id"] == 9
    assert shown["user"] == "power_line"


@pytest.mark.usefixtures("everything_enabled")
async def test_log_fails_for_a_while(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
) -> None:
    """Nothing is lost of what happens while the log or the link fails."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.add_fault(Fault(kind="refuse", table=74, code=0x04))
    meter.log_event(1)
    await pass_time(hass, host_clock, 300)
    assert states(hass, entry)["meter_event"] == "unknown"
    meter.clear_faults()
    await pass_time(hass, host_clock, 60)
    assert told(hass, entry)["event_id"] == 1

    meter.add_fault(Fault(kind="silence"))
    meter.log_event(2)
    for _ in range(2):
        await poll(hass)
        assert "meter_event" in unavailable(hass, entry)
    meter.clear_faults()
    await pass_time(hass, host_clock, 300)
    assert told(hass, entry)["event_id"] == 2


@pytest.mark.usefixtures("everything_enabled")
async def test_empty_log(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """The first entry of an empty log is told."""
    meter.clear_events()
    entry = await set_up(hass, make_entry(meter, url))
    assert states(hass, entry)["meter_event"] == "unknown"
    meter.log_event(5)
    await pass_time(hass, host_clock, 300)
    assert told(hass, entry)["event_id"] == 5


async def test_meter_without_log(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Where the meter refuses its log there is no entity, and the action says so."""
    for table in (71, 74):
        meter.add_fault(Fault(kind="refuse", table=table, code=0x03))
    entry = await set_up(hass, make_entry(meter, url))
    assert "meter_event" not in entity_ids(hass, entry)

    with pytest.raises(
        HomeAssistantError, match="does not allow this key to read that"
    ):
        await read_events(hass, config_entry_id=entry.entry_id)


@pytest.mark.parametrize("count", [None, 2])
async def test_read_events(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, count: int | None
) -> None:
    """The action answers with all entries or the newest ones, the newest last."""
    entry = await set_up(hass, make_entry(meter, url))
    last = meter.log_event(48, b"\x05", 3, NOON)
    data = {} if count is None else {"count": count}

    events = (await read_events(hass, config_entry_id=entry.entry_id, **data))["events"]

    assert len(events) == count or meter.truth()["events"]
    assert events[-1] == {
        "event_type": "reverse_energy",
        "sequence_number": last.number,
        "time": "2026-06-21T12:00:00+00:00",
        "event_id": 48,
        "user": "3",
        "argument": "0500",
        "log": "BT74",
        "phases": ["L1", "L3"],
    }
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(numbers)


async def test_read_events_mistakes(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The action wants a meter, and a count of at least one."""
    entry = await set_up(hass, make_entry(meter, url))
    with pytest.raises(ServiceValidationError, match="Choose a meter"):
        await read_events(hass, entity_id="sun.sun")
    with pytest.raises(vol.Invalid):
        await read_events(hass, config_entry_id=entry.entry_id, count=0)
