"""The integration of NES (Echelon) smart meters: reads a meter over its MEP."""

import asyncio

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.start import async_at_started
from homeassistant.helpers.typing import ConfigType

from .const import (
    CONF_IMPORT_COSTS,
    CONF_IMPORT_HISTORY,
    DEFAULT_IMPORT_COSTS,
    DEFAULT_IMPORT_HISTORY,
    DOMAIN,
)
from .coordinator import MeterCoordinator, NesMepConfigEntry, NesMepData
from .costs import CostImporter, Costs, costs_store
from .descriptions import PEAK_SENSORS
from .history import History, HistoryImporter
from .issues import async_clear_issues
from .mbus import device_identifier, logged_mbus_registers
from .monitor import async_remove_monitor
from .peaks import Filling
from .registry import enabled_entities
from .services import async_setup_services
from .slow_readings import TARIFF_CALENDAR

PLATFORMS: list[Platform] = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.SENSOR,
]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, which exist whether or not a meter is loaded."""
    async_setup_services(hass)

    @callback
    def async_change(_change: ConfigEntryChange, entry: ConfigEntry) -> None:
        """Clear the issues of a meter that was disabled."""
        if entry.domain == DOMAIN and entry.disabled_by:
            async_clear_issues(hass, entry)

    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, async_change)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> bool:
    """Open the meter of an entry, read it once and add its entities."""
    coordinator = MeterCoordinator(hass, entry)
    await coordinator.async_config_entry_first_refresh()
    history = await _async_make_history(hass, entry, coordinator)
    costs = _make_costs(hass, entry, coordinator, history)
    entry.runtime_data = NesMepData(coordinator, history, costs)
    await _async_set_up(hass, entry, PLATFORMS)
    assert coordinator.update_interval is not None
    history.async_start(
        coordinator.async_add_listener,
        lambda: coordinator.is_read_whole,
        coordinator.update_interval,
        is_automatic=entry.options.get(CONF_IMPORT_HISTORY, DEFAULT_IMPORT_HISTORY),
    )
    if entry.options.get(CONF_IMPORT_COSTS, DEFAULT_IMPORT_COSTS):
        costs.async_start(history.async_add_import_listener)
    _make_filling(hass, entry, coordinator).async_start(
        coordinator.async_add_listener, lambda: coordinator.last_update_success
    )
    if _has_calendar(coordinator):
        await _async_set_up(hass, entry, [Platform.CALENDAR])
    else:
        _async_await_calendar(hass, entry)
    _async_tell_events(hass, entry)
    return True


async def _async_set_up(
    hass: HomeAssistant, entry: NesMepConfigEntry, platforms: list[Platform]
) -> None:
    """Set up platforms, which are unloaded with the entry."""
    await hass.config_entries.async_forward_entry_setups(entry, platforms)
    entry.runtime_data.platforms.extend(platforms)


@callback
def _async_tell_events(hass: HomeAssistant, entry: NesMepConfigEntry) -> None:
    """Report what the meter logs from when automations watch it: after the start."""

    @callback
    def async_start(_: HomeAssistant) -> None:
        entry.runtime_data.coordinator.slow.events.async_start()

    entry.async_on_unload(async_at_started(hass, async_start))


def _has_calendar(coordinator: MeterCoordinator) -> bool:
    return TARIFF_CALENDAR in coordinator.data.reported


@callback
def _async_await_calendar(hass: HomeAssistant, entry: NesMepConfigEntry) -> None:
    """Set up the calendar once the meter has told that it has several tariffs.

    Nobody else needs a page of calendars in the sidebar.
    """
    coordinator = entry.runtime_data.coordinator
    setup: asyncio.Task[None] | None = None

    @callback
    def async_look() -> None:
        nonlocal setup
        if setup is None and _has_calendar(coordinator):
            setup = entry.async_create_task(
                hass, _async_set_up(hass, entry, [Platform.CALENDAR])
            )

    entry.async_on_unload(coordinator.async_add_listener(async_look))


async def _async_make_history(
    hass: HomeAssistant, entry: NesMepConfigEntry, coordinator: MeterCoordinator
) -> History:
    """Return what imports the history of a meter."""
    monitor = coordinator.monitor
    await monitor.history.async_load()
    importer = HistoryImporter(
        hass,
        coordinator.meter,
        coordinator.name,
        monitor.history,
        clock=monitor.clock,
        entity_ids=lambda: enabled_entities(hass, entry),
        logged=lambda: logged_mbus_registers(coordinator),
        on_progress=coordinator.async_update_listeners,
    )
    return History(
        hass,
        entry,
        importer,
        monitor.history,
        monitor.clock,
        on_change=coordinator.async_update_listeners,
        on_drift=monitor.clock_issue.async_read,
    )


def _make_filling(
    hass: HomeAssistant, entry: NesMepConfigEntry, coordinator: MeterCoordinator
) -> Filling:
    """Return what fills the averages of intervals from the load profile."""
    monitor = coordinator.monitor

    def shown() -> set[str]:
        """Return the directions of which an enabled entity shows something."""
        enabled = enabled_entities(hass, entry)
        return {
            description.direction
            for key, description in PEAK_SENSORS.items()
            if key in enabled
        }

    return Filling(
        hass,
        entry,
        coordinator.meter,
        coordinator.peaks,
        monitor.peaks,
        monitor.clock,
        shown=shown,
        layout_since=lambda: monitor.layout_issue.layout_since,
        on_change=coordinator.async_publish,
    )


def _make_costs(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    coordinator: MeterCoordinator,
    history: History,
) -> Costs:
    """Return what imports the costs of the hours that were imported."""
    importer = CostImporter(
        hass,
        coordinator.meter,
        clock=coordinator.monitor.clock,
        entity_ids=lambda: enabled_entities(hass, entry),
        imported_hours=lambda: history.imported_hours,
    )
    return Costs(hass, entry, importer, coordinator.monitor.clock)


async def async_unload_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> bool:
    """Remove the entities; the coordinator closes the meter after that."""
    # Whoever reloads the entry wants an answer now.
    entry.runtime_data.coordinator.monitor.optical_memory.end_peace()
    return await hass.config_entries.async_unload_platforms(
        entry, entry.runtime_data.platforms
    )


async def async_remove_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> None:
    """Delete what is stored about the meter of an entry that was removed."""
    await async_remove_monitor(hass, entry)
    await costs_store(hass, entry.entry_id).async_remove()


async def async_remove_config_entry_device(
    hass: HomeAssistant, entry: NesMepConfigEntry, device: dr.DeviceEntry
) -> bool:
    """Return whether the user may delete a device: an M-Bus meter that is gone."""
    present = {(DOMAIN, str(entry.unique_id))}
    # Of an entry that is not loaded nothing else is known to be there.
    if entry.state is ConfigEntryState.LOADED:
        coordinator = entry.runtime_data.coordinator
        present |= {
            device_identifier(coordinator, device_id)
            for device_id in coordinator.data.mbus_devices
        }
    return device.identifiers.isdisjoint(present)
