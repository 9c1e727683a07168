"""Buttons: what people do with a meter by hand, as the actions do it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, override

from homeassistant.components.button import ButtonEntity, ButtonEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import Unauthorized
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util.json import JsonObjectType

from .coordinator import NesMepConfigEntry
from .entity import NesMepEntity
from .services import async_ask_meter, async_import_history, async_resync

PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class MeterButtonDescription(ButtonEntityDescription):
    """Describes a button: what it does, and whether everybody may press it."""

    press: Callable[[NesMepConfigEntry], Awaitable[JsonObjectType]]
    is_for_admins: bool = False


BUTTONS: Final = (
    MeterButtonDescription(
        key="resync",
        translation_key="resync",
        entity_category=EntityCategory.CONFIG,
        press=async_resync,
    ),
    MeterButtonDescription(
        key="import_history",
        translation_key="import_history",
        entity_category=EntityCategory.CONFIG,
        press=async_import_history,
        is_for_admins=True,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the buttons of a meter."""
    async_add_entities(
        NesMepButton(entry.runtime_data.coordinator, description)
        for description in BUTTONS
    )


class NesMepButton(NesMepEntity, ButtonEntity):
    """A button of a meter."""

    entity_description: MeterButtonDescription

    @property
    @override
    def available(self) -> bool:
        """Return True: a lost session is what one of them is for."""
        return True

    @override
    def _handle_coordinator_update(self) -> None:
        """Ignore polls: a button shows nothing of them."""

    @override
    async def async_press(self) -> None:
        """Do what the button is for; raises a translated error if that fails."""
        if self.entity_description.is_for_admins:
            await self._async_admit()
        # Somebody may have just put the head in its place.
        self.coordinator.monitor.optical_memory.end_peace()
        entry = self.coordinator.config_entry
        await async_ask_meter(entry, self.entity_description.press)

    async def _async_admit(self) -> None:
        """Raise Unauthorized if the user who presses is not an administrator."""
        context = self._context
        if context is None or context.user_id is None:
            return
        user = await self.hass.auth.async_get_user(context.user_id)
        if user is None or not user.is_admin:
            raise Unauthorized(context=context)
