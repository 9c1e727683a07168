"""The NES / Echelon smart meter integration: reads a meter over its MEP."""

from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .const import DOMAIN
from .coordinator import MeterCoordinator, NesMepConfigEntry
from .sensor import DEFAULT_REGISTERS
from .services import async_setup_services

PLATFORMS: list[Platform] = [Platform.BINARY_SENSOR, Platform.SENSOR]

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
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: NesMepConfigEntry) -> bool:
    """Remove the entities; the coordinator closes the meter after that."""
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)
