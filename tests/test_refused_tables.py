"""Tests of meters that refuse, for a while or for good, what decides about registers."""

from dataclasses import replace

import pytest

from custom_components.nes_mep.issues import LAYOUT_CHANGED
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .common import entity_ids, make_entry, poll, set_up, states, unavailable
from .simulator import PROFILES, Fault, SimulatedMeter
from .truth import Truth

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


def refuse(
    meter: SimulatedMeter, *tables: str, code: int = 0x04, times: int | None = None
) -> None:
    """Have tables refused, so many times or from now on."""
    for table in tables:
        meter.add_fault(Fault(kind="refuse", table=table, code=code, times=times))


def assert_true_or_unavailable(
    hass: HomeAssistant, entry: object, meter: SimulatedMeter
) -> None:
    """No register shows anything but its true value."""
    true = Truth.of(meter).registers
    for key, state in states(hass, entry).items():
        if state != STATE_UNAVAILABLE and isinstance(true.get(key), int | float):
            assert float(state) == true[key], key


def assert_nothing_changed(hass: HomeAssistant) -> None:
    """No issue says that the meter has other registers."""
    assert not [
        id_ for _, id_ in ir.async_get(hass).issues if id_.startswith(LAYOUT_CHANGED)
    ]


@pytest.mark.parametrize("profile", ["ct", "vt"])
@pytest.mark.parametrize("tables", [("ET55", "ET42"), ("BT15",), ("BT15", "ET42")])
async def test_scale_is_unknown_at_first(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, tables: tuple[str, ...]
) -> None:
    """Values whose scale is unknown are unavailable, and come by themselves."""
    refuse(meter, *tables)
    entry = await set_up(hass, make_entry(meter, url))
    assert entry.state is ConfigEntryState.LOADED
    assert "energy_import" in states(hass, entry)
    assert ("energy_import" in unavailable(hass, entry)) == ("ET55" in tables)
    assert ("current_l1" in unavailable(hass, entry)) == ("BT15" in tables)
    for _ in range(3):
        await poll(hass)
        assert_true_or_unavailable(hass, entry, meter)
    meter.clear_faults()
    await poll(hass)
    assert not unavailable(hass, entry)
    assert_true_or_unavailable(hass, entry, meter)
    assert_nothing_changed(hass)


@pytest.mark.usefixtures("everything_enabled")
@pytest.mark.parametrize("profile", ["gen3_demand"])
@pytest.mark.parametrize(
    "tables", [("BT22",), ("BT27",), ("BT15", "ET55", "ET42"), ("ET04",), ("BT21",)]
)
async def test_refused_while_the_layout_is_learned_again(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, tables: tuple[str, ...]
) -> None:
    """No entity goes on the strength of a refusal, and all are back by themselves."""
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    before = entity_ids(hass, entry)
    refuse(meter, *tables, times=6)
    meter.raise_interface_version()
    for _ in range(8):
        await poll(hass)
        assert entity_ids(hass, entry) == before
        assert_true_or_unavailable(hass, entry, meter)
    assert not unavailable(hass, entry) & Truth.of(meter).registers.keys()
    assert_nothing_changed(hass)


@pytest.mark.parametrize("profile", ["reordered"])
@pytest.mark.parametrize("table", ["BT22", "BT27", "BT21"])
async def test_refused_at_a_restart(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, table: str
) -> None:
    """What an entry has stays, and works again without a reload."""
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    before = entity_ids(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    refuse(meter, table)
    await hass.config_entries.async_setup(entry.entry_id)
    for _ in range(3):
        await poll(hass)
        assert entity_ids(hass, entry) == before
        assert_true_or_unavailable(hass, entry, meter)
    assert "energy_import" in unavailable(hass, entry) or table == "BT27"
    meter.clear_faults()
    for _ in range(2):
        await poll(hass, 60)
    assert entity_ids(hass, entry) == before
    assert not unavailable(hass, entry)
    assert_true_or_unavailable(hass, entry, meter)
    assert_nothing_changed(hass)


async def test_registers_that_went_meanwhile(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What the meter does not have goes when it has told all that it has."""
    entry = await set_up(hass, make_entry(meter, url))
    await hass.config_entries.async_unload(entry.entry_id)
    full = meter.profile
    meter.profile = replace(full, present=tuple(s for s in full.present if s != 15))
    refuse(meter, "BT22")
    await hass.config_entries.async_setup(entry.entry_id)
    await poll(hass)
    assert "voltage_l1" in entity_ids(hass, entry)
    meter.clear_faults()
    await poll(hass)
    assert "voltage_l1" not in entity_ids(hass, entry)
    assert not unavailable(hass, entry)


async def test_slow_tables_are_asked_again(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A table that is refused for now is not one that the meter lacks."""
    refuse(meter, "BT03", "BT71", times=1)
    refuse(meter, "ET29")
    entry = await set_up(hass, make_entry(meter, url))
    assert "disconnect_state" not in entity_ids(hass, entry)
    meter.clear_faults()
    coordinator = entry.runtime_data.coordinator
    coordinator.monitor.clock.move(61)
    await poll(hass)
    shown = states(hass, entry)
    assert shown["disconnect_state"] == "closed"
    assert shown["alarm_low_battery"] == "off"
    assert "meter_event" in entity_ids(hass, entry)


async def test_serial_number_is_locked(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A meter goes on being the one that it was when it stops showing its number."""
    entry = await set_up(hass, make_entry(meter, url))
    before = entity_ids(hass, entry)
    refuse(meter, "ET03", code=0x03)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    meter.restart()
    await poll(hass)
    assert entity_ids(hass, entry) == before
    assert not unavailable(hass, entry)


@pytest.mark.usefixtures("everything_enabled")
async def test_absent_phases(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """An entry from before loses the entities of phases that the meter does not have.

    Only the meter's own word counts for that.
    """
    meter.profile = PROFILES["fw_3_70"]
    entry = make_entry(meter, url)
    await set_up(hass, entry)
    assert "voltage_l2" in entity_ids(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)

    meter.profile = replace(meter.profile, missing_phases=(2, 3))
    refuse(meter, "ET04")
    await hass.config_entries.async_setup(entry.entry_id)
    await poll(hass)
    assert "voltage_l2" in entity_ids(hass, entry)
    assert "voltage_l1" in unavailable(hass, entry) | (
        entity_ids(hass, entry).keys() - states(hass, entry).keys()
    )
    meter.clear_faults()
    await poll(hass)
    keys = {
        key
        for key in entity_ids(hass, entry)
        if key.startswith(("voltage_", "current_", "average_voltage_", "power_import_"))
    }
    assert {"voltage_l1", "current_l1", "power_import_l1"} <= keys
    assert not [key for key in keys if key.endswith(("_l2", "_l3"))]
    assert not unavailable(hass, entry) & keys


@pytest.mark.parametrize("profile", ["fw_2_10"])
async def test_old_firmware(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Firmware without the newer dimension tables is read like any other."""
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    assert not unavailable(hass, entry)
    assert_true_or_unavailable(hass, entry, meter)
    assert {"energy_import", "voltage_l3"} <= states(hass, entry).keys()
    assert "meter_event" in entity_ids(hass, entry)
