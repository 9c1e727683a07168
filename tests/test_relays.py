"""Control relays and alarms of the load disconnect: from the meter to an automation."""

import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers.translation import async_get_translations
from homeassistant.setup import async_setup_component

from .common import (
    disable_all_but,
    entity_ids,
    make_entry,
    pass_time,
    set_up,
    states,
    tables,
)
from .driven_clock import DrivenClock
from .simulator import Fault, SimulatedMeter
from .triggers import automate, device_of

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def follow(hass: HomeAssistant, entity_id: str) -> list[ServiceCall]:
    """Make an automation with a state trigger, and return what it does: a growing list."""
    calls = async_mock_service(hass, "test", "act")
    automation = {
        "alias": "Test",
        "triggers": {"trigger": "state", "entity_id": entity_id, "to": ["on", "off"]},
        "actions": {
            "action": "test.act",
            "data": {"state": "{{ trigger.to_state.state }}"},
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    return calls


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("profile", ["fw_4_30"])
async def test_relay(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    number: int,
) -> None:
    """An automation runs when a relay opens, and when it closes, within a minute."""
    entry = await set_up(hass, make_entry(meter, url))
    ids = entity_ids(hass, entry)
    entity_id = f"binary_sensor.smart_meter_control_relay_{number}"
    assert ids[f"control_relay_{number}"] == entity_id
    assert hass.states.get(entity_id).state == "off"
    calls = await follow(hass, entity_id)
    for is_open in (True, False):
        meter.switch_relay(number, is_open)
        await pass_time(hass, host_clock, 61)
        assert states(hass, entry)[f"control_relay_{3 - number}"] == "off"
    assert [call.data["state"] for call in calls] == ["on", "off"]


@pytest.mark.parametrize(
    ("alarm", "key"),
    [
        ("disconnect_switch_error", "alarm_disconnect_error"),
        ("load_side_voltage", "alarm_load_side_voltage"),
        ("prepay_credit_exhausted", "alarm_prepay_exhausted"),
        ("prepay_warning_acknowledged", "alarm_prepay_warning"),
    ],
)
@pytest.mark.usefixtures("everything_enabled")
async def test_alarm_of_the_disconnect(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    alarm: str,
    key: str,
) -> None:
    """An automation runs when an alarm is raised, and when it is cleared."""
    entry = await set_up(hass, make_entry(meter, url))
    calls = await follow(hass, entity_ids(hass, entry)[key])
    for is_on in (True, False):
        meter.set_alarm(alarm, is_on)
        await pass_time(hass, host_clock, 61)
    assert [call.data["state"] for call in calls] == ["on", "off"]


async def test_alarm_of_the_disconnect_triggers(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """The trigger for alarms knows those that tell of a problem."""
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "alarm_raised", target)
    await pass_time(hass, host_clock, 61)
    for alarm in (
        "prepay_warning_acknowledged",
        "prepay_credit_exhausted",
        "disconnect_switch_error",
        "load_side_voltage",
    ):
        meter.set_alarm(alarm)
        await pass_time(hass, host_clock, 61)
    assert [call.data["alarm"] for call in calls] == [
        "prepay_exhausted",
        "disconnect_error",
        "load_side_voltage",
    ]


async def test_no_relay(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """A meter that does not say that it has a relay has none, whatever the bits say."""
    meter.set_alarm("control_relay_1_open")
    entry = await set_up(hass, make_entry(meter, url))
    assert not any("relay" in key for key in entity_ids(hass, entry))


@pytest.mark.parametrize("profile", ["single_phase"])
async def test_hardware_is_refused_for_a_while(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """The relay comes when the meter tells its hardware; alarms do not wait for it."""
    meter.add_fault(Fault(kind="refuse", table=0x81D, code=0x04))
    entry = await set_up(hass, make_entry(meter, url))
    assert states(hass, entry)["alarm_low_battery"] == "off"
    assert "control_relay_1" not in entity_ids(hass, entry)
    meter.clear_faults()
    await pass_time(hass, host_clock, 61)
    assert states(hass, entry)["control_relay_1"] == "off"


@pytest.mark.parametrize("profile", ["fw_4_30"])
async def test_only_a_relay_is_shown(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """A relay costs one request a minute, shared with the alarms."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_all_but(hass, entry, {"control_relay_2"})
    await pass_time(hass, host_clock, 10)
    since = len(meter.requests)
    await pass_time(hass, host_clock, 60)
    assert [table for table in tables(meter, since) if table == "BT03"] == ["BT03"]


@pytest.mark.parametrize("profile", ["single_phase"])
async def test_state_is_named(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """On and off are shown as what they are of a relay: open and closed."""
    await set_up(hass, make_entry(meter, url))
    texts = await async_get_translations(hass, "en", "entity", {"nes_mep"})
    name = "component.nes_mep.entity.binary_sensor.control_relay.state"
    assert texts[f"{name}.on"] == "Open"
    assert texts[f"{name}.off"] == "Closed"
