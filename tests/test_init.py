"""Tests of setting up and removing a meter."""

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .common import (
    begin_poll,
    entity_ids,
    make_entry,
    own_log,
    poll,
    set_up,
    silent_port,
    states,
    times_open,
    unavailable,
)
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def test_device(
    hass: HomeAssistant,
    device_registry: dr.DeviceRegistry,
    meter: SimulatedMeter,
    path: str,
) -> None:
    """The device shows what the meter says about itself."""
    entry = await set_up(hass, make_entry(meter, path))

    (device,) = dr.async_entries_for_config_entry(device_registry, entry.entry_id)
    major, minor, build = meter.profile.firmware
    assert device.identifiers == {(DOMAIN, meter.profile.serial_number)}
    assert device.name == "Smart meter"
    assert device.manufacturer == meter.profile.manufacturer
    assert device.model == meter.profile.model
    assert device.serial_number == meter.profile.serial_number
    assert device.sw_version == f"{major}.{minor:02}.{build:02}"


async def test_two_devices(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock
) -> None:
    """A second meter is told apart by its number, and keeps the ids it has."""
    other_meter = SimulatedMeter(
        PROFILES["gen4"], key=KEY.encode()[:16], clock=clock, paced=False
    )
    number = other_meter.profile.serial_number
    async with serve_tcp(other_meter) as other_url:
        entry = await set_up(hass, make_entry(meter, url))
        other = make_entry(other_meter, other_url)
        er.async_get(hass).async_get_or_create(
            "sensor",
            DOMAIN,
            f"{number}_energy_import",
            suggested_object_id="smart_meter_energy_import_2",
        )
        await set_up(hass, other)

        registry = dr.async_get(hass)
        names = [
            device.name
            for each in (entry, other)
            for device in dr.async_entries_for_config_entry(registry, each.entry_id)
        ]
        assert names == ["Smart meter", f"Smart meter {number}"]
        ids = entity_ids(hass, other)
        assert ids["energy_import"] == "sensor.smart_meter_energy_import_2"
        assert ids["energy_export"] == f"sensor.smart_meter_{number}_energy_export"
        assert hass.states.get(ids["energy_import"]).name == (
            f"Smart meter {number} Energy import"
        )
        await hass.config_entries.async_unload(other.entry_id)


async def test_unload_reload_remove(
    hass: HomeAssistant, meter: SimulatedMeter, path: str
) -> None:
    """Nothing stays behind: no open port, and by the harness no task or timer."""
    entry = await set_up(hass, make_entry(meter, path))
    assert entry.state is ConfigEntryState.LOADED
    assert times_open(path) == 2

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    assert times_open(path) == 2
    assert not unavailable(hass, entry)

    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert times_open(path) == 1
    assert set(states(hass, entry).values()) == {"unavailable"}
    requests = len(meter.requests)
    await poll(hass)
    assert len(meter.requests) == requests

    assert await hass.config_entries.async_setup(entry.entry_id)
    assert await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert times_open(path) == 1
    assert not hass.states.async_all("sensor")
    assert hass.services.has_service(DOMAIN, "resync_clock")


@pytest.mark.parametrize("late", [0.05, 5])
async def test_unload_in_mid_poll(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    path: str,
    late: float,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A poll that waits for the meter does not hold up the unloading."""
    entry = await set_up(hass, make_entry(meter, path))
    caplog.clear()
    meter.add_fault(Fault(kind="late", seconds=late))
    await begin_poll(hass, meter)

    assert await hass.config_entries.async_unload(entry.entry_id)

    assert times_open(path) == 1
    assert own_log(caplog) == []


async def test_port_appears_later(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    socket_enabled: None,
    unused_tcp_port: int,
) -> None:
    """A port that does not open at the start is tried again until it does."""
    entry = make_entry(meter, f"socket://127.0.0.1:{unused_tcp_port}")
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason.startswith(f"The port of {entry.title} cannot be used. ")

    async with serve_tcp(meter, port=unused_tcp_port):
        await poll(hass)
        assert entry.state is ConfigEntryState.LOADED
        assert not unavailable(hass, entry)
        await hass.config_entries.async_unload(entry.entry_id)


async def test_port_never_answers(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    socket_enabled: None,
) -> None:
    """A port that opens and stays silent is tried again as well."""
    async with silent_port() as port:
        entry = await set_up(hass, make_entry(meter, port))
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert entry.reason.startswith(f"{entry.title} does not answer. ")
        await hass.config_entries.async_unload(entry.entry_id)


async def test_meter_fails_at_the_first_reading(
    hass: HomeAssistant, meter: SimulatedMeter, path: str
) -> None:
    """A meter that is identified but not read is closed before the next attempt."""
    for table in (23, 28):
        meter.add_fault(Fault(kind="refuse", table=table, code=0x04))
    entry = await set_up(hass, make_entry(meter, path))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason.startswith(f"{entry.title} cannot answer that right now. ")
    assert times_open(path) == 1

    meter.clear_faults()
    await poll(hass)
    assert entry.state is ConfigEntryState.LOADED


async def test_another_meter_answers(
    hass: HomeAssistant, meter: SimulatedMeter, path: str
) -> None:
    """Readings of another meter never reach the entities of this one."""
    entry = make_entry(meter, path)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, unique_id="20250101")
    assert not await hass.config_entries.async_setup(entry.entry_id)

    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert meter.profile.serial_number in entry.reason
    assert times_open(path) == 1
    assert not hass.states.async_all("sensor")

    # The right one is connected.
    hass.config_entries.async_update_entry(entry, unique_id=meter.profile.serial_number)
    await poll(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)


async def test_home_assistant_stops(
    hass: HomeAssistant, meter: SimulatedMeter, path: str
) -> None:
    """The port is closed when Home Assistant stops."""
    await set_up(hass, make_entry(meter, path))
    assert times_open(path) == 2

    await hass.async_stop(force=True)

    assert times_open(path) == 1
