"""Tests of the entities: each shows what the simulated meter knows to be true."""

from datetime import timedelta
import re

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

from custom_components.nes_mep.descriptions import PEAK_SENSORS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .common import entity_ids, make_entry, pass_time, poll, set_up, states
from .driven_clock import DrivenClock
from .simulator import PROFILES, SimulatedMeter
from .truth import Shown, Truth, parsed
from .values import NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

ON_AT_FIRST = {
    *("energy_import", "energy_export", "power_import", "power_export", "power_net"),
    *(
        f"{quantity}_l{n}"
        for quantity in ("voltage", "current", "power_import", "power_export")
        for n in (1, 2, 3)
    ),
    *("alarm_clock_error", "alarm_low_battery", "alarm_measurement_error"),
    *("alarm_memory_failure", "alarm_neutral_fault", "alarm_phase_loss"),
    *("alarm_disconnect_error", "control_relay_1", "control_relay_2"),
    *("disconnect_state", "link_problem"),
    *("last_billing_date", "billing_energy_import"),
    *("message", "tariff_calendar", "next_tariff", "next_tariff_switch"),
}
APART = {
    *("clock_drift", "history_progress", "last_reply_time", "link", "link_problem"),
    *("meter_event", "resync", "import_history"),
}


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return a snapshot that knows Home Assistant's objects."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


def is_of_the_meter(key: str) -> bool:
    """Return whether a state comes from the meter's registers and subjects."""
    return (
        not key.startswith(("mbus_", "link_"))
        and key not in APART
        and key not in PEAK_SENSORS
    )


def shown(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Shown]:
    """Return what the entities show of the meter's registers and subjects, by key."""
    ids = entity_ids(hass, entry)
    return {
        key: parsed(ids[key], hass.states.get(ids[key]).attributes, state)
        for key, state in states(hass, entry).items()
        if is_of_the_meter(key)
    }


def described(hass: HomeAssistant, registered: er.RegistryEntry) -> str:
    """Return what users see of an entity, in the same way on each Home Assistant."""
    state = hass.states.get(registered.entity_id)
    facts = {
        "id": registered.unique_id,
        "category": registered.entity_category,
        "class": registered.original_device_class,
        "state class": state.attributes.get("state_class"),
        "unit": state.attributes.get("unit_of_measurement"),
        "options": state.attributes.get("options"),
        "decimals": registered.options.get("sensor", {}).get(
            "suggested_display_precision"
        ),
        "state": state.state,
    }
    if registered.translation_key.startswith(("link_", "last_reply")):
        # They count what the line needed, which is never quite the same.
        del facts["state"]
    name = state.attributes["friendly_name"]
    return "; ".join(
        (name, *(f"{fact} {value}" for fact, value in facts.items() if value))
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.usefixtures("everything_enabled")
async def test_states_are_true(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    freezer: FrozenDateTimeFactory,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """Whatever the meter has is shown with its value, and nothing else is."""
    freezer.move_to(NOON)
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    assert (
        entry.runtime_data.coordinator.data.reported <= entity_ids(hass, entry).keys()
    )
    assert shown(hass, entry) == Truth.of(meter).everything
    assert float(states(hass, entry)["clock_drift"]) == 0
    assert {
        registered.entity_id: described(hass, registered)
        for registered in er.async_entries_for_config_entry(
            entity_registry, entry.entry_id
        )
    } == snapshot

    # An evening without sun, its morning, and a minute later.
    for now in (
        NOON + timedelta(hours=20, seconds=1),
        NOON + timedelta(hours=31, seconds=2),
        NOON + timedelta(hours=31, minutes=1, seconds=3),
    ):
        seconds = (now - clock.now).total_seconds()
        clock.now = now
        freezer.move_to(now)
        await pass_time(hass, host_clock, seconds)
        assert shown(hass, entry) == Truth.of(meter).everything


@pytest.mark.parametrize("profile", PROFILES)
async def test_enabled_at_first(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A new meter shows energies, powers, voltages, currents and what may alarm one."""
    entry = await set_up(hass, make_entry(meter, url))

    true = Truth.of(meter).everything
    assert shown(hass, entry) == {
        key: value for key, value in true.items() if key in ON_AT_FIRST
    }
    disabled = {
        key
        for key, entity_id in entity_ids(hass, entry).items()
        if entity_registry.async_get(entity_id).disabled
    }
    assert disabled.isdisjoint(ON_AT_FIRST)
    assert {key for key in disabled if is_of_the_meter(key)} == {
        key
        for key in true.keys() - ON_AT_FIRST
        if not re.match(r"coincident|(continuous_)?cumulative", key)
        and (true[key] or "tariff_" not in key or "demand" in key)
    }


async def test_attributes(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """Names, units and classes are right, whatever the version of Home Assistant."""
    entry = await set_up(hass, make_entry(meter, url))
    wanted = {
        "energy_import": ("Energy import", "energy", "total_increasing", "kWh"),
        "energy_export": ("Energy export", "energy", "total_increasing", "kWh"),
        "power_import": ("Power import", "power", "measurement", "W"),
        "power_export": ("Power export", "power", "measurement", "W"),
        "power_net": ("Net power", "power", "measurement", "W"),
        "voltage_l2": ("Voltage L2", "voltage", "measurement", "V"),
        "current_l3": ("Current L3", "current", "measurement", "A"),
        "disconnect_state": ("Load disconnect", "enum", None, None),
        "alarm_low_battery": ("Low battery", "battery", None, None),
    }
    ids = entity_ids(hass, entry)
    for key, (name, device_class, state_class, unit) in wanted.items():
        attributes = hass.states.get(ids[key]).attributes
        assert attributes["friendly_name"] == f"Smart meter {name}"
        assert attributes["device_class"] == device_class
        assert attributes.get("state_class") == state_class
        assert attributes.get("unit_of_measurement") == unit


@pytest.mark.parametrize("profile", ["gen4"])
async def test_entity_is_enabled_later(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A sensor that the user enables has its value right after the reload."""
    entry = await set_up(hass, make_entry(meter, url))
    entity_id = entity_ids(hass, entry)["apparent_power_l2_q1"]
    assert hass.states.get(entity_id) is None

    entity_registry.async_update_entity(entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    true = Truth.of(meter).registers
    assert float(hass.states.get(entity_id).state) == true["apparent_power_l2_q1"]


async def test_entity_comes_with_an_update(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A sensor that the registry does not know yet has its value at once."""
    entry = await set_up(hass, make_entry(meter, url))
    assert await hass.config_entries.async_unload(entry.entry_id)
    for key in ("energy_import", "energy_export"):
        entity_registry.async_remove(entity_ids(hass, entry)[key])

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert (
        shown(hass, entry)["energy_import"]
        == (Truth.of(meter).registers["energy_import"])
    )


@pytest.mark.usefixtures("everything_enabled")
async def test_link_counters(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What the link needed is counted, and can be seen while the link is down."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    await poll(hass)
    after = states(hass, entry)
    assert int(after["link_requests"]) > int(before["link_requests"])
    assert float(after["link_bytes_received"]) > float(before["link_bytes_received"])
    assert after["last_reply_time"] not in {"unknown", "unavailable"}
    assert after["link_timeouts"] == "0"

    meter.add_fault("silence")
    await poll(hass)
    assert int(states(hass, entry)["link_timeouts"]) > 0
