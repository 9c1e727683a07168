"""The NES / Echelon smart meter integration: reads a meter over its MEP."""

import asyncio

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .const import CONF_IMPORT_HISTORY, DEFAULT_IMPORT_HISTORY, DOMAIN
from .coordinator import MeterCoordinator, NesMepConfigEntry
from .descriptions import describe_register
from .history.importer import HistoryImporter
from .history.schedule import History, history_store
from .issues import async_clear_issues
from .link.outages import async_forget_link
from .mbus import device_identifier
from .monitor import async_forget_watch
from .sensor import DEFAULT_REGISTERS
from .services import async_setup_services

PLATFORMS: list[Platform] = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, which exist whether or not a meter is loaded."""
    async_setup_services(hass)

    @callback
    def async_change(_change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Tell nothing about a meter that is not wanted."""
        if entry.domain == DOMAIN and entry.disabled_by:
            async_clear_issues(hass, entry)

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, async_change)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> bool:
    """Open the meter of an entry, read it once and add its entities."""
    coordinator = MeterCoordinator(hass, entry, default_registers=DEFAULT_REGISTERS)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    # Dimensions can have changed while nobody looked.
    coordinator.async_remove_entities(
        {
            key
            for key in coordinator.async_registered_entities()
            if describe_register(key) and key not in coordinator.data.reported
        }
    )
    coordinator.history = History(
        hass,
        history_store(hass, entry.entry_id),
        HistoryImporter(
            hass,
            coordinator.meter,
            coordinator.name,
            entity_ids=coordinator.async_enabled_entities,
            on_progress=coordinator.async_update_listeners,
        ),
        coordinator.name,
    )
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    if entry.options.get(CONF_IMPORT_HISTORY, DEFAULT_IMPORT_HISTORY):
        _async_import_history(hass, entry)
    return True


@callback
def _async_import_history(hass: HomeAssistant, entry: NesMepConfigEntry) -> None:
    """Fill the past, and what was missed, in the background as long as it is loaded."""
    coordinator, history = entry.runtime_data, entry.runtime_data.history
    was_read_whole = coordinator.is_read_whole
    task: asyncio.Task[None] | None = None

    @callback
    def run() -> None:
        nonlocal task
        task = entry.async_create_background_task(
            hass, history.async_look_through(), f"{coordinator.name} history"
        )

    @callback
    def watch_link() -> None:
        nonlocal was_read_whole
        if coordinator.is_read_whole and not was_read_whole:
            history.async_note_interruption()
        was_read_whole = coordinator.is_read_whole

    @callback
    def stop() -> None:
        if task is not None:
            task.cancel()

    entry.async_on_unload(coordinator.async_add_listener(watch_link))
    entry.async_on_unload(history.async_watch(run, lambda: coordinator.is_read_whole))
    # Before the meter is closed, so that nothing is told to fail.
    entry.async_on_unload(stop)


async def async_unload_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> bool:
    """Remove the entities; the coordinator closes the meter after that."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> None:
    """Leave nothing behind."""
    await async_forget_watch(hass, entry)
    async_forget_link(hass, entry.entry_id)
    await history_store(hass, entry.entry_id).async_remove()


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: NesMepConfigEntry, device: dr.DeviceEntry
) -> bool:
    """Let the user delete the device of an M-Bus meter that is there no more."""
    coordinator = entry.runtime_data
    present = {(DOMAIN, coordinator.meter.identity.serial_number)} | {
        device_identifier(coordinator, device_id)
        for device_id in coordinator.data.mbus_devices
    }
    return device.identifiers.isdisjoint(present)
