"""Tests of a meter that changes its dimensions while it is read."""

from dataclasses import replace

import pytest

from custom_components.nes_mep.descriptions import PEAK_SENSORS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .common import (
    entity_ids,
    make_entry,
    pass_time,
    poll,
    set_up,
    states,
    unavailable,
    written_states,
)
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter
from .truth import Truth

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


def register_keys(
    hass: HomeAssistant, entry: object, meter: SimulatedMeter
) -> set[str]:
    """Return the keys of all entities that could be of registers."""
    others = {
        *("clock_drift", "history_progress", "last_reply_time", "link"),
        *("link_problem", "meter_event", "resync", "import_history"),
    }
    return {
        key
        for key in entity_ids(hass, entry)
        if key not in Truth.of(meter).subjects
        and key not in others
        and key not in PEAK_SENSORS
        if not key.startswith(("billing_", "last_billing", "link_", "mbus_"))
    }


@pytest.mark.usefixtures("everything_enabled")
@pytest.mark.parametrize(
    ("profile", "other"),
    [
        ("gen3", "fw_3_60"),
        ("fw_4_00", "fw_4_30"),
        ("fw_4_30", "fw_4_00"),
        ("gen3_demand", "reordered"),
    ],
)
async def test_registers_come_and_go(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
    other: str,
) -> None:
    """New registers get entities with values at once, and the old ones lose theirs."""
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    before = register_keys(hass, entry, meter)
    assert before == Truth.of(meter).registers.keys()

    meter.change_profile(other)
    true = Truth.of(meter)
    for _ in range(3):
        await poll(hass)
        shown = states(hass, entry)
        for key in shown.keys() & true.registers.keys() - unavailable(hass, entry):
            if isinstance(value := true.registers[key], int | float):
                assert float(shown[key]) == value, key

    assert register_keys(hass, entry, meter) == true.registers.keys()
    assert not true.registers.keys() & unavailable(hass, entry)
    assert before != true.registers.keys()
    assert not (before - true.registers.keys()) & shown.keys()


async def test_new_default_registers_have_values_at_once(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What is on at first is read in the very poll that finds it."""
    full = meter.profile
    meter.profile = replace(full, present=tuple(s for s in full.present if s != 15))
    entry = await set_up(hass, make_entry(meter, url))
    assert "voltage_l1" not in entity_ids(hass, entry)
    await poll(hass)

    meter.profile = full
    meter.raise_interface_version()
    while "voltage_l1" not in entity_ids(hass, entry):
        await poll(hass)

    true = Truth.of(meter).registers
    assert float(states(hass, entry)["voltage_l1"]) == true["voltage_l1"]
    assert not unavailable(hass, entry)


async def test_same_dimensions_again(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A change that concerns no register leaves all entities as they are.

    But what was stored before it is not trusted.
    """
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    before = entity_ids(hass, entry)
    meter.raise_interface_version()
    with written_states() as written:
        for _ in range(2):
            await poll(hass)
    assert entity_ids(hass, entry) == before
    assert set(written) == {
        before[key] for key in ("last_billing_date", "billing_energy_import")
    }


@pytest.mark.parametrize("restarts", [False, True])
async def test_firmware_update(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    meter: SimulatedMeter,
    url: str,
    restarts: bool,
) -> None:
    """The device has the meter's firmware, without a reload."""
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)

    def firmware() -> str | None:
        (device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
        return device.sw_version

    assert firmware() == "3.70.24"
    meter.change_profile(replace(meter.profile, firmware=(3, 71, 2)))
    if restarts:
        meter.restart()
    for _ in range(2):
        await poll(hass)
    assert firmware() == "3.71.02"


async def test_changed_while_nobody_looked(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Entities of registers that went while Home Assistant was off go at the start."""
    entry = await set_up(hass, make_entry(meter, url))
    assert await hass.config_entries.async_unload(entry.entry_id)
    full = meter.profile
    meter.profile = replace(full, present=tuple(s for s in full.present if s != 15))

    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    ids = entity_ids(hass, entry)
    assert "voltage_l1" not in ids
    assert "voltage_l2" in ids
    assert "alarm_low_battery" in ids


async def test_subjects_are_learned_again(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """A change of the dimensions is a reason to ask again for what was refused."""
    meter.add_fault(Fault(kind="refuse", table=3, code=0x03))
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    assert "alarm_low_battery" not in entity_ids(hass, entry)

    meter.clear_faults()
    meter.raise_interface_version()
    for _ in range(2):
        await poll(hass)
    assert states(hass, entry)["alarm_low_battery"] == "off"

    # And what it does not have any more, goes.
    meter.add_fault(Fault(kind="refuse", table=3, code=0x03))
    meter.raise_interface_version()
    for _ in range(2):
        await poll(hass)
    assert "alarm_low_battery" not in entity_ids(hass, entry)
    await pass_time(hass, host_clock, 3600)
    assert "alarm_low_battery" not in entity_ids(hass, entry)
    assert PROFILES["gen3"].disconnect
    assert states(hass, entry)["disconnect_state"] == "closed"


async def test_subject_goes(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What another configuration of the meter does not have any more, has no entity."""
    entry = await set_up(hass, make_entry(meter, url))
    assert "disconnect_state" in entity_ids(hass, entry)
    meter.change_profile(replace(meter.profile, disconnect=False))
    for _ in range(2):
        await poll(hass)
    assert "disconnect_state" not in entity_ids(hass, entry)
    assert "alarm_low_battery" in entity_ids(hass, entry)
