"""Tests of M-Bus meters behind the meter."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.descriptions import PEAK_SENSORS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component

from .common import (
    entity_ids,
    make_entry,
    own_log,
    pass_time,
    set_up,
    states,
    tables,
    unavailable,
)
from .driven_clock import DrivenClock
from .simulator import Fault, SimulatedMeter
from .simulator.mbus import GAS, HEAT, OLD_WATER, WATER, MbusDevice, Record
from .values import Clock

pytestmark = [
    pytest.mark.usefixtures("enable_custom_integrations"),
    pytest.mark.parametrize("profile", ["mbus"]),
]

RECORDS = {
    "volume": "volume",
    "energy": "energy",
    "power": "power",
    "flow": "flow",
    "temperature_flow": "flow_temperature",
    "temperature_return": "return_temperature",
    "volume_storage_1": "due.volume",
    "energy_storage_1": "due.energy",
}
"""What the simulated meter calls the records, by our keys."""
DEVICES = {
    "els30412877": (0, GAS),
    "hyd92752244": (1, WATER),
    "hyd66104935": (2, HEAT),
    "00751903": (3, OLD_WATER),
}
"""Slots of the devices by the ids that they have with us."""


def device(
    hass: HomeAssistant, entry: MockConfigEntry, device_id: str
) -> dr.DeviceEntry | None:
    """Return the device of an M-Bus meter."""
    identifier = (DOMAIN, f"{entry.unique_id}_mbus_{device_id}")
    return next(
        (
            device
            for device in dr.async_entries_for_config_entry(
                dr.async_get(hass), entry.entry_id
            )
            if identifier in device.identifiers
        ),
        None,
    )


def true_values(meter: SimulatedMeter) -> dict[str, float]:
    """Return what the M-Bus meters that answer have told, by key."""
    truth = meter.truth()
    return {
        f"mbus_{device_id}_{ours}": truth[f"mbus.{slot}.{theirs}"] / 1000
        for device_id, (slot, _) in DEVICES.items()
        for ours, theirs in RECORDS.items()
        if f"mbus.{slot}.{theirs}" in truth and truth[f"mbus.{slot}.status"] == 1
    }


def shown_values(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, float]:
    """Return what the sensors of available M-Bus meters show, times apart, by key."""
    gone = unavailable(hass, entry)
    return {
        key: float(state)
        for key, state in states(hass, entry).items()
        if key.startswith("mbus_") and not key.endswith("read_at") and key not in gone
    }


@pytest.mark.usefixtures("everything_enabled")
async def test_values_are_true(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    host_clock: DrivenClock,
) -> None:
    """Every record of the M-Bus meters is shown; it follows when they are read again."""
    entry = await set_up(hass, make_entry(meter, url))
    before = shown_values(hass, entry)
    assert before == true_values(meter)
    assert len(before) == 11

    clock.now += timedelta(hours=5)
    await pass_time(hass, host_clock, 900)
    now = shown_values(hass, entry)
    assert now == true_values(meter)
    assert now != before

    truth = meter.truth()
    read_at = states(hass, entry)["mbus_els30412877_read_at"]
    assert datetime.fromisoformat(read_at) == datetime.fromtimestamp(
        truth["mbus.0.time"], UTC
    )


async def test_devices(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each is a device of its own, reached by way of the electricity meter."""
    entry = await set_up(hass, make_entry(meter, url))
    devices = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    (electricity,) = (each for each in devices if each.via_device_id is None)
    assert electricity.identifiers == {(DOMAIN, entry.unique_id)}
    assert len(devices) == 5

    gas = device(hass, entry, "els30412877")
    assert gas.name == "Gas meter"
    assert gas.manufacturer == "ELS"
    assert gas.serial_number == "30412877"
    assert gas.via_device_id == electricity.id
    assert device(hass, entry, "00751903").manufacturer is None
    names = {device(hass, entry, device_id).name for device_id in DEVICES}
    assert names == {"Gas meter", "Water meter", "Water meter 2", "Heat meter"}
    assert "deprecated" not in caplog.text
    assert "Detected" not in caplog.text


async def test_attributes(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Gas, water and heat can be chosen in the Energy dashboard."""
    entry = await set_up(hass, make_entry(meter, url))
    ids = entity_ids(hass, entry)
    for key, name, device_class, state_class, unit in (
        ("els30412877_volume", "Gas meter Volume", "gas", "total_increasing", "m³"),
        ("hyd92752244_volume", "Water meter Volume", "water", "total_increasing", "m³"),
        (
            "hyd66104935_energy",
            "Heat meter Energy",
            "energy",
            "total_increasing",
            "kWh",
        ),
        (
            "hyd66104935_temperature_flow",
            "Heat meter Flow temperature",
            "temperature",
            "measurement",
            "°C",
        ),
    ):
        attributes = hass.states.get(ids[f"mbus_{key}"]).attributes
        assert attributes["friendly_name"] == name
        assert attributes["device_class"] == device_class
        assert attributes["state_class"] == state_class
        assert attributes["unit_of_measurement"] == unit
    stored = entity_registry.async_get(ids["mbus_hyd92752244_volume_storage_1"])
    assert stored.disabled
    assert stored.original_name == "Volume stored value 1"


async def test_device_does_not_answer(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """One that the electricity meter does not reach is unavailable until it does."""
    entry = await set_up(hass, make_entry(meter, url))
    always = {"mbus_00751903_volume", "mbus_00751903_read_at"}
    assert unavailable(hass, entry) == always

    meter.mbus_down(0)
    await pass_time(hass, host_clock, 900)
    gas = {"mbus_els30412877_volume", "mbus_els30412877_read_at"}
    assert unavailable(hass, entry) == always | gas

    meter.mbus_down(0, down=False)
    await pass_time(hass, host_clock, 900)
    assert unavailable(hass, entry) == always


def without_peaks(states: dict[str, str]) -> dict[str, str]:
    """Return states without those that come from the load profile, in minutes."""
    return {key: state for key, state in states.items() if key not in PEAK_SENSORS}


async def test_mbus_cannot_be_read(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A table that fails makes M-Bus meters unavailable and nothing else."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    meter.add_fault(Fault(kind="refuse", table=2048 + 14, code=0x04))
    caplog.clear()

    await pass_time(hass, host_clock, 900)
    mbus = {key for key in before if key.startswith("mbus_")}
    assert unavailable(hass, entry) == mbus
    ((level, text),) = own_log(caplog)
    assert level == "WARNING"
    assert text.startswith(f"{entry.title}: M-Bus meters is missing: ")

    meter.clear_faults()
    await pass_time(hass, host_clock, 60)
    assert without_peaks(states(hass, entry)) == without_peaks(before)


async def test_names(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """M-Bus meters of the same kind are numbered; nobody inherits a number."""

    def names() -> list[str | None]:
        devices = (device(hass, entry, id_) for id_ in (*DEVICES, "els11223344"))
        return [each and each.name for each in devices]

    entry = await set_up(hass, make_entry(meter, url))
    before = ["Gas meter", "Water meter", "Heat meter", "Water meter 2"]
    assert names() == [*before, None]
    assert "sensor.water_meter_2_volume" in hass.states.async_entity_ids()

    # The first one is exchanged for one with a smaller id, and forgotten.
    exchange(meter, 1, replace(WATER, serial="11223344", manufacturer="ELS"))
    await pass_time(hass, host_clock, 900)
    assert names() == [*before, "Water meter 3"]
    dr.async_get(hass).async_remove_device(device(hass, entry, "hyd92752244").id)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert names() == ["Gas meter", None, *before[2:], "Water meter 3"]


def exchange(meter: SimulatedMeter, slot: int, new: MbusDevice | None) -> None:
    """Put another M-Bus meter into a slot, or none."""
    slots = [each for each in meter.state.mbus if each.index != slot]
    if new is not None:
        kind = type(meter.state.mbus[0])
        slots.append(kind(slot, new))
    meter.state.mbus[:] = sorted(slots, key=lambda each: each.index)


async def test_exchange(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
) -> None:
    """A new meter in a slot is a new device; the old one can be deleted, but no other."""
    assert await async_setup_component(hass, "config", {})
    entry = await set_up(hass, make_entry(meter, url))
    client = await hass_ws_client(hass)

    async def delete(device_id: str) -> bool:
        await client.send_json_auto_id(
            {
                "type": "config/device_registry/remove_config_entry",
                "config_entry_id": entry.entry_id,
                "device_id": device_id,
            }
        )
        return (await client.receive_json())["success"]

    old = device(hass, entry, "els30412877")
    assert not await delete(old.id)

    new = MbusDevice(
        name="new",
        handle=9,
        serial="11223344",
        medium=GAS.medium,
        consumption=GAS.consumption,
        records=GAS.records,
        manufacturer="ELS",
    )
    exchange(meter, 0, new)
    await pass_time(hass, host_clock, 900)

    assert "mbus_els30412877_volume" in unavailable(hass, entry)
    assert float(states(hass, entry)["mbus_els11223344_volume"]) > 0
    assert device(hass, entry, "els11223344").id != old.id
    assert await delete(old.id)
    await hass.async_block_till_done()
    assert device(hass, entry, "els30412877") is None
    assert "mbus_els30412877_volume" not in entity_ids(hass, entry)

    electricity = next(
        each
        for each in dr.async_entries_for_config_entry(
            dr.async_get(hass), entry.entry_id
        )
        if each.via_device_id is None
    )
    assert not await delete(electricity.id)


def send(meter: SimulatedMeter, record: str) -> None:
    """Let the heat meter send one record, header and data."""
    raw = Record(bytes.fromhex(record), b"")
    exchange(meter, 2, replace(HEAT, records=lambda _: [raw]))


UNITS = [
    ("energy", "0C06 12160600", "0C0E 03182200", 61612, "kWh", 221803 / 3.6),
    ("energy", "0C0E 03182200", "0C06 12160600", 221803, "MJ", 61612 * 3.6),
    ("volume", "0C13 00502100", "0C16 16020000", 215, "m³", 216),
    ("power", "0B2B 050000", "0B33 003600", 5, "W", 1000),
    ("flow", "0B3B 001200", "0B44 002000", 1.2, "m³/h", 120),
    ("flow", "0B44 002000", "0B4C 001000", 2, "m³/min", 0.6),
    ("mass", "0C1B 05000000", "0C1E 01000000", 5, "kg", 1000),
    ("pressure", "0B69 050000", "0B6B 060000", 0.05, "bar", 6),
    ("temperature_flow", "0B5A 004500", "0B5B 460000", 450, "°C", 46),
    ("operating_time", "0B27 010000", "0B26 480000", 1, "d", 2),
    ("operating_time", "0B26 480000", "0B25 300000", 48, "h", 0.5),
    ("on_time", "0C22 02000000", "0C20 00080100", 2, "h", 3),
]
"""Quantity, a record, one in another unit, and what is shown of each."""


@pytest.mark.usefixtures("everything_enabled")
@pytest.mark.parametrize(("key", "before", "after", "first", "unit", "second"), UNITS)
async def test_unit_changes(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    key: str,
    before: str,
    after: str,
    first: float,
    unit: str,
    second: float,
) -> None:
    """An entity keeps the unit that it began with, over restarts as well."""

    def shown() -> float:
        state = hass.states.get(entity_ids(hass, entry)[f"mbus_hyd66104935_{key}"])
        assert state.attributes["unit_of_measurement"] == unit
        return float(state.state)

    send(meter, before)
    entry = await set_up(hass, make_entry(meter, url))
    assert shown() == pytest.approx(first)
    send(meter, after)
    await pass_time(hass, host_clock, 900)
    assert shown() == pytest.approx(second)

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert shown() == pytest.approx(second)
    send(meter, before)
    await pass_time(hass, host_clock, 900)
    assert shown() == pytest.approx(first)


async def test_unit_of_the_user(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Another unit that was chosen for an entity stays, whatever is sent."""
    send(meter, "0C06 12160600")
    entry = await set_up(hass, make_entry(meter, url))
    entity_id = entity_ids(hass, entry)["mbus_hyd66104935_energy"]
    entity_registry.async_update_entity_options(
        entity_id, "sensor", {"unit_of_measurement": "MWh"}
    )
    for record in ("0C06 12160600", "0C0E 03182200"):
        send(meter, record)
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        state = hass.states.get(entity_id)
        assert state.attributes["unit_of_measurement"] == "MWh"
        assert float(state.state) == pytest.approx(61.612, abs=1e-3)


@pytest.mark.parametrize("state", ["unloaded", "not answering"])
async def test_deleted_while_not_loaded(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    meter: SimulatedMeter,
    url: str,
    state: str,
) -> None:
    """The device of an M-Bus meter can be deleted at any time, the meter's own never."""
    assert await async_setup_component(hass, "config", {})
    entry = await set_up(hass, make_entry(meter, url))
    client = await hass_ws_client(hass)
    old = device(hass, entry, "els30412877")
    if state == "unloaded":
        await hass.config_entries.async_unload(entry.entry_id)
    else:
        meter.add_fault(Fault(kind="silence"))
        await hass.config_entries.async_reload(entry.entry_id)

    for each, success in ((old.id, True), (old.via_device_id, False)):
        await client.send_json_auto_id(
            {
                "type": "config/device_registry/remove_config_entry",
                "config_entry_id": entry.entry_id,
                "device_id": each,
            }
        )
        assert (await client.receive_json())["success"] is success
    assert device(hass, entry, "els30412877") is None
    await hass.config_entries.async_unload(entry.entry_id)


async def test_first_meter_comes_later(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """The first meter that is ever connected appears without a reload."""
    connected = list(meter.state.mbus)
    meter.state.mbus.clear()
    entry = await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 10)
    assert not any(key.startswith("mbus_") for key in states(hass, entry))

    meter.state.mbus.extend(connected)
    await pass_time(hass, host_clock, 900)
    assert float(states(hass, entry)["mbus_els30412877_volume"]) > 0


async def test_slot_becomes_empty(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """A meter that is taken away is unavailable, and is there again when it comes back."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    exchange(meter, 1, None)
    await pass_time(hass, host_clock, 900)
    assert "mbus_hyd92752244_volume" in unavailable(hass, entry)

    exchange(meter, 1, WATER)
    await pass_time(hass, host_clock, 900)
    assert without_peaks(states(hass, entry)) == without_peaks(before)


async def test_without_enabled_entities(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
) -> None:
    """M-Bus meters of which nothing is shown are not asked for."""
    entry = await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 10)
    since = len(meter.requests)
    await pass_time(hass, host_clock, 900)
    assert "ET14" in tables(meter, since)

    for key, entity_id in entity_ids(hass, entry).items():
        if key.startswith("mbus_"):
            entity_registry.async_update_entity(
                entity_id, disabled_by=er.RegistryEntryDisabler.USER
            )
    await hass.async_block_till_done()
    since = len(meter.requests)
    await pass_time(hass, host_clock, 900)
    assert "ET14" not in tables(meter, since)
