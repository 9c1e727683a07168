"""What tests of the automation triggers share: automations, as users write them."""

from typing import Any

from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component

from .common import disable_all_but, entity_ids

FACTS = ("config_entry_id", "device_id", "meter", "description")
_EVENT = (
    *("event_type", "event_id", "sequence_number", "time"),
    *("user", "argument", "log"),
)
VARIABLES = {
    "alarm_raised": ("alarm",),
    "link_failed": ("kind", "reason", "error", "tables"),
    "link_recovered": ("duration", "kinds"),
    "clock_changed": _EVENT,
    "clock_drifted": ("drift", "threshold"),
    "disconnect_switched": (*_EVENT, "change", "cause"),
    "password_refused": (*_EVENT, "port"),
    "relay_switched": (*_EVENT, "change", "cause"),
    "tampering_detected": _EVENT,
    "tariff_changed": ("from_tariff", "to_tariff"),
}


def device_of(hass: HomeAssistant, entry: MockConfigEntry) -> dr.DeviceEntry:
    """Return the meter's device."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return device


async def automate(
    hass: HomeAssistant,
    trigger: str,
    target: dict[str, Any] | None = None,
    **options: Any,
) -> list[ServiceCall]:
    """Make an automation with a trigger of the integration, and return what it does.

    That is a list of calls, with the variables of the trigger, which grows.
    """
    calls = async_mock_service(hass, "test", "act")
    config: dict[str, Any] = {"trigger": f"nes_mep.{trigger}"}
    if target is not None:
        config["target"] = target
    if options:
        config["options"] = options
    names = (*FACTS, *VARIABLES[trigger])
    data = {name: f"{{{{ trigger.{name} }}}}" for name in names}
    automation = {
        "alias": "Test",
        "triggers": config,
        "actions": {"action": "test.act", "data": data},
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    assert hass.states.get("automation.test").state == "on"
    return calls


async def follow(hass: HomeAssistant, entity_id: str, *to: str) -> list[ServiceCall]:
    """Make an automation with a state trigger, and return what it does: a growing list."""
    calls = async_mock_service(hass, "test", "act")
    automation = {
        "alias": "Test",
        "triggers": {
            "trigger": "state",
            "entity_id": entity_id,
            "to": [*(to or ("on", "off"))],
        },
        "actions": {
            "action": "test.act",
            "data": {"state": "{{ trigger.to_state.state }}"},
        },
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    return calls


async def disable_everything(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let the user disable all entities."""
    await disable_all_but(hass, entry, set())
    er.async_get(hass).async_update_entity(
        entity_ids(hass, entry)["link_problem"],
        disabled_by=er.RegistryEntryDisabler.USER,
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
