"""What Home Assistant's registries know: entities of a meter by key, device, rank."""

from collections.abc import Set as AbstractSet

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .const import DOMAIN
from .osgp import MeterIdentity


@callback
def registered_entities(
    hass: HomeAssistant, entry: ConfigEntry
) -> dict[str, er.RegistryEntry]:
    """Return the entities of an entry, disabled ones included."""
    return {
        entity.unique_id.removeprefix(f"{entry.unique_id}_"): entity
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), entry.entry_id
        )
    }


@callback
def enabled_entities(hass: HomeAssistant, entry: ConfigEntry) -> dict[str, str]:
    """Return the ids of an entry's enabled entities."""
    return {
        key: entity.entity_id
        for key, entity in registered_entities(hass, entry).items()
        if not entity.disabled
    }


@callback
def async_remove_entities(
    hass: HomeAssistant, entry: ConfigEntry, keys: AbstractSet[str]
) -> None:
    """Remove the entities of an entry with these keys."""
    for key, entity in registered_entities(hass, entry).items():
        if key in keys:
            er.async_get(hass).async_remove(entity.entity_id)


@callback
def async_update_firmware(
    hass: HomeAssistant, entry: ConfigEntry, identity: MeterIdentity
) -> None:
    """Update the firmware version of the device of a meter."""
    devices = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(devices, entry.entry_id):
        if (DOMAIN, identity.serial_number) in device.identifiers:
            devices.async_update_device(device.id, sw_version=identity.firmware)


@callback
def is_first_meter(hass: HomeAssistant, entry: ConfigEntry) -> bool:
    """Return whether the meter of an entry was added before all others."""
    entries = hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    return entry is min(entries, key=lambda other: other.created_at)
