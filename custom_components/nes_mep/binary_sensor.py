"""Binary sensors: the state of the link, and the meter's alarms."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import NesMepConfigEntry
from .descriptions import BINARY_SENSORS
from .entity import NesMepStatusEntity, NesMepValueEntity, async_add_what_is_reported
from .osgp import Value

PARALLEL_UPDATES = 0

LINK_PROBLEM = BinarySensorEntityDescription(
    key="link_problem",
    translation_key="link_problem",
    device_class=BinarySensorDeviceClass.PROBLEM,
    entity_category=EntityCategory.DIAGNOSTIC,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of a meter."""
    coordinator = entry.runtime_data.coordinator

    def make(key: str) -> NesMepBinarySensor | None:
        if (description := BINARY_SENSORS.get(key)) is None:
            return None
        return NesMepBinarySensor(coordinator, description)

    async_add_entities([NesMepLinkProblem(coordinator, LINK_PROBLEM)])
    async_add_what_is_reported(
        coordinator, async_add_entities, lambda: coordinator.data.reported, make
    )


class NesMepBinarySensor(NesMepValueEntity, BinarySensorEntity):
    """A state of the meter that is on or off, available until it is too old."""

    needs_meter = False

    @override
    def _show(self, value: Value | None) -> None:
        """Show on or off."""
        self._attr_is_on = None if value is None else bool(value)


class NesMepLinkProblem(NesMepStatusEntity, BinarySensorEntity):
    """On when the last poll failed, as a whole or in one of its tables."""

    @override
    def _look_up(self) -> Value | None:
        """Return whether the last poll failed or was partial."""
        return not self.coordinator.is_read_whole

    @override
    def _show(self, value: Value | None) -> None:
        """Show on or off."""
        self._attr_is_on = bool(value)
