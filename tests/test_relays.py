"""Control relays and alarms of the load disconnect: from the meter to an automation."""

from dataclasses import replace
from datetime import timedelta

import pytest

from homeassistant.core import HomeAssistant
from homeassistant.helpers.translation import async_get_translations

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
from .simulator import PROFILES, Fault, SimulatedMeter
from .triggers import automate, device_of, follow
from .values import NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


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


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("profile", ["fw_4_30"])
@pytest.mark.usefixtures("everything_enabled")
async def test_pending_operation(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    number: int,
) -> None:
    """A relay that will switch at a random time tells in how many seconds."""
    entry = await set_up(hass, make_entry(meter, url))
    name = f"control_relay_{number}"
    calls = await follow(hass, entity_ids(hass, entry)[f"{name}_pending"])
    assert states(hass, entry)[f"{name}_delay"] == "unknown"

    meter.switch_relay(number, True, after=100)
    shown = []
    for _ in range(2):
        clock.now += timedelta(seconds=61)
        await pass_time(hass, host_clock, 61)
        now = states(hass, entry)
        shown.append((now[name], now[f"{name}_pending"], now[f"{name}_delay"]))
    assert shown == [("off", "on", "39"), ("on", "off", "unknown")]
    assert [call.data["state"] for call in calls] == ["on", "off"]


@pytest.mark.parametrize("profile", ["fw_3_70"])
@pytest.mark.usefixtures("everything_enabled")
async def test_limits(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """The step tariff and the limit of the power, and when that opened the disconnect."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    assert before["power_limit_enabled"] == "on"
    assert (before["power_limit"], before["power_limit_interval"]) == ("11000", "900")
    assert before["last_cut_off"] == "unknown"
    calls = await follow(hass, entity_ids(hass, entry)["step_tariff"])

    meter.set_tier(1, drive=3, reason=2)
    meter.cut_off(NOON)
    await pass_time(hass, host_clock, 901)
    now = states(hass, entry)
    assert now["disconnect_state"] == "open"
    assert now["last_cut_off"] == NOON.isoformat()
    assert now["step_tariff"] == "on"
    assert [call.data["state"] for call in calls] == ["on"]


@pytest.mark.parametrize(
    ("enabled", "seconds", "wanted"),
    [
        ("control_relay_1_pending", 60, ["ET54"]),
        ("control_relay_2_delay", 60, ["ET54", "ET54"]),
        ("step_tariff", 60, ["ET54"]),
        ("power_limit", 60, []),
        ("power_limit_interval", 900, ["ET80"]),
        ("last_cut_off", 900, ["ET46"]),
    ],
)
@pytest.mark.usefixtures("everything_enabled")
async def test_only_what_is_shown_is_read(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    enabled: str,
    seconds: float,
    wanted: list[str],
) -> None:
    """A subject is read at its pace while an enabled entity shows something of it."""
    meter.profile = replace(meter.profile, relays=(1,), step_tariff=True)
    if "relay_2" in enabled:
        meter.profile = PROFILES["fw_4_30"]
    entry = await set_up(hass, make_entry(meter, url))
    await disable_all_but(hass, entry, {enabled})
    await pass_time(hass, host_clock, 10)
    since = len(meter.requests)
    await pass_time(hass, host_clock, seconds)
    assert [t for t in tables(meter, since) if t in {"ET46", "ET54", "ET80"}] == wanted
