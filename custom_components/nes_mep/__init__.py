"""The NES / Echelon smart meter integration: reads a meter over its MEP."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv, device_registry as dr
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import MeterCoordinator, NesMepConfigEntry
from .descriptions import describe_register
from .issues import async_delete_tls_refused
from .link import async_forget_link
from .mbus import device_identifier
from .sensor import DEFAULT_REGISTERS
from .services import async_setup_services

PLATFORMS: list[Platform] = [Platform.BINARY_SENSOR, Platform.EVENT, Platform.SENSOR]

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, which exist whether or not a meter is loaded."""
    async_setup_services(hass)
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
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> bool:
    """Remove the entities; the coordinator closes the meter after that."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> None:
    """Leave nothing behind."""
    async_delete_tls_refused(hass, entry)
    async_forget_link(hass, entry.entry_id)


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
