"""The base of the integration's entities."""

from abc import abstractmethod
import asyncio
from collections.abc import Callable, Iterable
from typing import override

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import (
    AddConfigEntryEntitiesCallback,
    EntityPlatform,
)
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .const import DOMAIN
from .coordinator import MeterCoordinator
from .descriptions import name_placeholders
from .osgp import Value
from .registry import is_first_meter


class NesMepEntity(CoordinatorEntity[MeterCoordinator]):
    """An entity of a meter."""

    _attr_has_entity_name = True

    def __init__(
        self,
        coordinator: MeterCoordinator,
        description: EntityDescription,
        *,
        context: str | None = None,
    ) -> None:
        """Initialize the entity; context names what it shows, for the coordinator."""
        super().__init__(coordinator, context=context)
        self.entity_description = description
        identity = coordinator.meter.identity
        self._attr_unique_id = f"{identity.serial_number}_{description.key}"
        self._attr_device_info = DeviceInfo(
            identifiers={(DOMAIN, identity.serial_number)},
            # The first has the plain name, by which most know their only one.
            translation_key="meter"
            if is_first_meter(coordinator.hass, coordinator.config_entry)
            else "meter_numbered",
            translation_placeholders={"serial_number": identity.serial_number},
            manufacturer=identity.manufacturer,
            model=identity.model,
            serial_number=identity.serial_number,
            sw_version=identity.firmware,
        )

    @callback
    @override
    def add_to_platform_start(
        self,
        hass: HomeAssistant,
        platform: EntityPlatform,
        parallel_updates: asyncio.Semaphore | None,
    ) -> None:
        """Complete the name, once its translations are known."""
        super().add_to_platform_start(hass, platform, parallel_updates)
        self._attr_translation_placeholders = name_placeholders(
            self.entity_description, self.platform_data.platform_translations
        )


class NesMepValueEntity(NesMepEntity):
    """An entity that shows a value: unavailable without one, unknown if it is None."""

    needs_meter: bool = True
    """Whether the entity is unavailable as soon as a poll has failed."""

    def __init__(
        self,
        coordinator: MeterCoordinator,
        description: EntityDescription,
        *,
        context: str | None = None,
    ) -> None:
        """Initialize the entity; it shows nothing before it is added."""
        super().__init__(coordinator, description, context=context or description.key)
        self._is_available = False
        self._value: Value | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Show the present value."""
        await super().async_added_to_hass()
        self._show(None)
        self._update()

    def _look_up(self) -> Value | None:
        """Return the present value; raises LookupError if there is nothing to show."""
        return self.coordinator.data.values[self.entity_description.key]

    @abstractmethod
    def _show(self, value: Value | None) -> None:
        """Set the attributes of the platform's entity to a value."""

    def _present(self) -> tuple[bool, Value | None]:
        """Return whether there is a value, and the value."""
        if self.needs_meter and not self.coordinator.last_update_success:
            return False, None
        try:
            return True, self._look_up()
        except LookupError:
            return False, None

    def _update(self) -> bool:
        """Look up the value; show it and return True if it has changed."""
        present = self._present()
        if present == (self._is_available, self._value):
            return False
        self._is_available, self._value = present
        self._show(self._value)
        return True

    @property
    @override
    def available(self) -> bool:
        """Return whether there is a value."""
        return self._is_available

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if the value has changed: most polls change few values."""
        if self._update():
            super()._handle_coordinator_update()


class NesMepStatusEntity(NesMepValueEntity):
    """An entity about the link or an import, shown whether or not the meter answers."""

    needs_meter = False


@callback
def async_add_what_is_reported[Key: (str, tuple[str, str])](
    coordinator: MeterCoordinator,
    async_add_entities: AddConfigEntryEntitiesCallback,
    reported: Callable[[], Iterable[Key]],
    make: Callable[[Key], Entity | None],
) -> None:
    """Add an entity for each key that the meter reports, now and when one appears.

    make returns the entity of a key, or None if the platform has none for it.
    """
    known: set[Key] = set()
    newest: Iterable[Key] | None = None

    @callback
    def add() -> None:
        nonlocal newest
        # Most polls report what the one before did, in the same object.
        if newest is (newest := reported()):
            return
        present = set(newest)
        entities = [make(key) for key in sorted(present - known)]
        # What disappears can come back.
        known.clear()
        known.update(present)
        if found := [entity for entity in entities if entity is not None]:
            async_add_entities(found)

    add()
    coordinator.config_entry.async_on_unload(coordinator.async_add_listener(add))
