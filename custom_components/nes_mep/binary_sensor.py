"""Binary sensors: how the link to the meter is."""

from typing import override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import MeterCoordinator, NesMepConfigEntry
from .entity import NesMepEntity

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
    async_add_entities([NesMepLinkProblem(entry.runtime_data, LINK_PROBLEM)])


class NesMepLinkProblem(NesMepEntity, BinarySensorEntity):
    """On when the last poll failed, as a whole or in one of its tables."""

    def __init__(
        self, coordinator: MeterCoordinator, description: BinarySensorEntityDescription
    ) -> None:
        """Make the binary sensor with how the last poll went."""
        super().__init__(coordinator, description)
        self._attr_is_on = self._is_problem

    @property
    def _is_problem(self) -> bool:
        """Return whether the last poll failed or was partial."""
        return not self.coordinator.last_update_success or bool(
            self.coordinator.data.failed_tables
        )

    @property
    @override
    def available(self) -> bool:
        """Return True: a link that is down is what this entity tells about."""
        return True

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if the link went down or came back."""
        if (is_problem := self._is_problem) != self._attr_is_on:
            self._attr_is_on = is_problem
            super()._handle_coordinator_update()
