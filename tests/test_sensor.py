"""Tests of the sensors: each shows what the simulated meter knows to be true."""

from collections.abc import Iterator
from datetime import timedelta
from unittest.mock import PropertyMock, patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .common import entity_ids, make_entry, poll, set_up, states
from .simulator import PROFILES, SimulatedMeter
from .values import NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

# Sources of each register (the first that a meter lists counts), what a shown unit
# has of the meter's, and whether it is in energy register units.
REGISTERS: dict[str, tuple[tuple[int, ...], int, bool]] = {
    "energy_import": ((0,), 1000, True),
    "energy_export": ((1,), 1000, True),
    "power_import": ((81, 8), 1, False),
    "power_export": ((82, 9), 1, False),
    "voltage_l1": ((15,), 1000, False),
    "voltage_l2": ((16,), 1000, False),
    "voltage_l3": ((17,), 1000, False),
    "current_l1": ((197, 12), 1000, False),
    "current_l2": ((198, 13), 1000, False),
    "current_l3": ((199, 14), 1000, False),
    "power_import_l1": ((191, 185), 1, False),
    "power_import_l2": ((192, 186), 1, False),
    "power_import_l3": ((193, 187), 1, False),
    "power_export_l1": ((194, 188), 1, False),
    "power_export_l2": ((195, 189), 1, False),
    "power_export_l3": ((196, 190), 1, False),
}
OFF_AT_FIRST = {key for key in REGISTERS if key.startswith("power") and key[-2] == "l"}


@pytest.fixture
def snapshot(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Return a snapshot that knows Home Assistant's objects."""
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture
def everything_enabled() -> Iterator[None]:
    """Enable the entities that are off at first as well."""
    with patch(
        "homeassistant.helpers.entity.Entity.entity_registry_enabled_default",
        PropertyMock(return_value=True),
    ):
        yield


def truth(meter: SimulatedMeter) -> dict[str, float]:
    """Return what the sensors have to show, by key."""
    raw = meter.truth()
    listed = {*meter.profile.summations, *meter.profile.present}
    shown: dict[str, float] = {}
    for key, (sources, divisor, is_energy) in REGISTERS.items():
        if (source := next((id_ for id_ in sources if id_ in listed), None)) is None:
            continue
        unit = meter.profile.ratios.energy_unit if is_energy else 1
        shown[key] = raw[source] * unit / divisor
    shown["power_net"] = shown["power_import"] - shown["power_export"]
    return shown


def readings(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, float]:
    """Return what the sensors show, by key."""
    return {
        key: float(state)
        for key, state in states(hass, entry).items()
        if key != "link_problem"
    }


def described(hass: HomeAssistant, registered: er.RegistryEntry) -> dict[str, str]:
    """Return what users see of an entity, in the same way on each Home Assistant."""
    state = hass.states.get(registered.entity_id)
    sensor_options = registered.options.get("sensor", {})
    return {
        "unique_id": registered.unique_id,
        "name": state.attributes["friendly_name"],
        "category": str(registered.entity_category),
        "device_class": str(registered.original_device_class),
        "state_class": str(state.attributes.get("state_class")),
        "unit": str(state.attributes.get("unit_of_measurement")),
        "decimals": str(sensor_options.get("suggested_display_precision")),
        "state": state.state,
    }


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.usefixtures("everything_enabled")
async def test_states_are_true(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    snapshot: SnapshotAssertion,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """Every register that the meter lists has a sensor with its value, and no other."""
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    assert readings(hass, entry) == truth(meter)
    assert {
        registered.entity_id: described(hass, registered)
        for registered in er.async_entries_for_config_entry(
            entity_registry, entry.entry_id
        )
    } == snapshot

    # Sun in the morning, an evening without, and a minute later.
    for now in (
        NOON + timedelta(hours=20, seconds=1),
        NOON + timedelta(hours=31, seconds=2),
        NOON + timedelta(hours=31, minutes=1, seconds=3),
    ):
        clock.now = now
        await poll(hass)
        assert readings(hass, entry) == truth(meter)


@pytest.mark.parametrize("profile", PROFILES)
async def test_enabled_at_first(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A new meter shows energies, powers, voltages and currents at once."""
    entry = await set_up(hass, make_entry(meter, url))

    assert readings(hass, entry) == {
        key: value for key, value in truth(meter).items() if key not in OFF_AT_FIRST
    }
    disabled = {
        key
        for key, entity_id in entity_ids(hass, entry).items()
        if entity_registry.async_get(entity_id).disabled
    }
    assert disabled == OFF_AT_FIRST & truth(meter).keys()


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
    }
    ids = entity_ids(hass, entry)
    for key, (name, device_class, state_class, unit) in wanted.items():
        attributes = hass.states.get(ids[key]).attributes
        assert attributes["friendly_name"] == f"Smart meter {name}"
        assert attributes["device_class"] == device_class
        assert attributes["state_class"] == state_class
        assert attributes["unit_of_measurement"] == unit


@pytest.mark.parametrize("profile", ["gen4"])
async def test_entity_is_enabled_later(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A sensor that the user enables has its value right after the reload."""
    entry = await set_up(hass, make_entry(meter, url))
    entity_id = entity_ids(hass, entry)["power_import_l2"]
    assert hass.states.get(entity_id) is None

    entity_registry.async_update_entity(entity_id, disabled_by=None)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done()

    assert float(hass.states.get(entity_id).state) == truth(meter)["power_import_l2"]


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
    await hass.async_block_till_done()

    assert readings(hass, entry)["energy_import"] == truth(meter)["energy_import"]
