"""The entities of a meter in Home Assistant's entity registry, by key."""

from collections.abc import Set as AbstractSet

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er


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
