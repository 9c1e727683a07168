"""Tests of the automation triggers by entries of the meter's event log."""

from typing import Any

import pytest

from homeassistant.core import HomeAssistant

from .common import make_entry, pass_time, set_up, tables
from .driven_clock import DrivenClock
from .simulator import Fault, SimulatedMeter
from .triggers import automate, device_of, disable_everything

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

_OTHERS = [(1, b""), (2, b"\3"), (4, b""), (9, b"\2\x08"), (49, b""), (107, b"\2")]
"""Events that are none of the kinds that trigger."""


@pytest.mark.parametrize(
    ("trigger", "events", "types"),
    [
        ("clock_changed", [(3, b""), (3, b"\x78")], ["clock_changed"] * 2),
        ("password_refused", [(72, b"\1")], ["invalid_password"]),
        (
            "tampering_detected",
            [(47, b"\1"), (89, b""), (75, b""), (76, b"")],
            [
                "tamper",
                "magnetic_tamper",
                "pulse_input_1_tamper",
                "pulse_input_2_tamper",
            ],
        ),
        (
            "disconnect_switched",
            [(66, b"\2\1"), (66, b"\1\6"), (66, b"\3\3")],
            ["disconnect_opened", "disconnect_closed", "disconnect_locked"],
        ),
        (
            "relay_switched",
            [(67, b"\2\1"), (67, b"\1\2"), (67, b"\5\1")],
            [
                "control_relay_1_opened",
                "control_relay_1_closed",
                "control_relay_1_changed",
            ],
        ),
    ],
)
async def test_kinds(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    trigger: str,
    events: list[tuple[int, bytes]],
    types: list[str],
) -> None:
    """Events of the kind trigger, one by one, though no entity shows the log."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_everything(hass, entry)
    calls = await automate(hass, trigger, {"device_id": device_of(hass, entry).id})
    for event in (*_OTHERS, *events):
        meter.log_event(*event)
    await pass_time(hass, host_clock, 300)
    assert [call.data["event_type"] for call in calls] == types


async def test_variables(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """The trigger says which meter it is, when it happened, and why."""
    entry = await set_up(hass, make_entry(meter, url))
    device = device_of(hass, entry)
    calls = await automate(hass, "relay_switched", {"device_id": device.id})
    logged = meter.log_event(67, b"\2\1", 0xFFFE)
    await pass_time(hass, host_clock, 300)
    (call,) = calls
    assert call.data == {
        "config_entry_id": entry.entry_id,
        "device_id": device.id,
        "meter": entry.title,
        "description": f"event (control_relay_1_opened) of {entry.title}",
        "event_type": "control_relay_1_opened",
        "event_id": 67,
        "sequence_number": logged.number,
        "time": logged.time.isoformat(timespec="seconds"),
        "user": "power_line",
        "argument": "0201",
        "log": "BT74",
        "change": "opened",
        "cause": "command",
    }


@pytest.mark.parametrize(
    ("trigger", "event_id", "change", "triggered"),
    [
        ("relay_switched", 67, "opened", ["opened"]),
        ("relay_switched", 67, ["closed", "opened"], ["closed", "opened"]),
        ("disconnect_switched", 66, ["opened", "locked"], ["opened", "locked"]),
    ],
)
async def test_changes(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    trigger: str,
    event_id: int,
    change: str | list[str],
    triggered: list[str],
) -> None:
    """Only the changes that are wanted trigger."""
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, trigger, target, change=change)
    for state in (1, 2, 3):
        meter.log_event(event_id, bytes([state, 1]))
    await pass_time(hass, host_clock, 300)
    assert [call.data["change"] for call in calls] == triggered


async def test_the_log_is_read_while_it_is_watched(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """The log is read while a trigger waits, also after a reload; else it is not.

    It is read once more after that, and what was told last is forgotten.
    """
    entry = await set_up(hass, make_entry(meter, url))
    await disable_everything(hass, entry)

    async def is_read() -> bool:
        asked = len(meter.requests)
        await pass_time(hass, host_clock, 300)
        return "BT74" in tables(meter, asked)

    assert not await is_read()
    target: dict[str, Any] = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "tampering_detected", target)
    for _ in range(2):
        assert await is_read()
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    meter.log_event(89)
    assert await is_read()
    assert len(calls) == 1
    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.test"}, blocking=True
    )
    assert await is_read()
    assert not await is_read()


async def test_what_happened_before_does_not_trigger(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """What was logged while nothing waited for it does not trigger later."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.log_event(89)
    await pass_time(hass, host_clock, 600)
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "tampering_detected", target)
    await pass_time(hass, host_clock, 300)
    assert not calls
    meter.log_event(47)
    await pass_time(hass, host_clock, 300)
    assert [call.data["event_type"] for call in calls] == ["tamper"]

    # Nothing is lost while the link is down, nor with a second automation.
    meter.add_fault(Fault(kind="silence"))
    meter.log_event(89)
    await pass_time(hass, host_clock, 600)
    meter.clear_faults()
    await pass_time(hass, host_clock, 300)
    assert [call.data["event_type"] for call in calls] == ["tamper", "magnetic_tamper"]


async def test_reload_loses_nothing(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """What was logged right before a reload, as by new options, still triggers."""
    entry = await set_up(hass, make_entry(meter, url))
    target: dict[str, Any] = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "tampering_detected", target)
    await pass_time(hass, host_clock, 300)
    meter.log_event(89)
    await pass_time(hass, host_clock, 60)
    for _ in range(2):
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    await pass_time(hass, host_clock, 300)
    await pass_time(hass, host_clock, 300)
    assert [call.data["event_type"] for call in calls] == ["magnetic_tamper"]
