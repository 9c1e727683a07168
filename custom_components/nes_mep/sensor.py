"""Sensors: one for each register of the meter, and for more that it tells."""

from typing import override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import LINK, MeterCoordinator, NesMepConfigEntry
from .descriptions import (
    ACTIVE_TARIFF,
    HISTORY_PROGRESS,
    LINK_SENSORS,
    REGISTER_SENSORS,
    MeterSensorDescription,
    describe_sensor,
)
from .entity import (
    NesMepEntity,
    NesMepValueEntity,
    async_add_what_is_reported,
    with_zone,
)
from .mbus import async_add_mbus_sensors
from .osgp import Value

PARALLEL_UPDATES = 0

DEFAULT_REGISTERS = frozenset(
    description.key
    for description in REGISTER_SENSORS.values()
    if description.entity_registry_enabled_default
)
"""Keys of the registers whose sensors are enabled when a meter is new."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of a meter and of the M-Bus meters behind it."""
    coordinator = entry.runtime_data

    def make(key: str) -> NesMepSensor | None:
        if (description := describe_sensor(key)) is None:
            return None
        kind = NesMepActiveTariff if key == ACTIVE_TARIFF.key else NesMepSensor
        return kind(coordinator, description)

    async_add_entities(
        [
            NesMepHistoryProgress(coordinator, HISTORY_PROGRESS),
            *(
                NesMepLinkSensor(coordinator, description, counter)
                for counter, description in LINK_SENSORS.items()
            ),
        ]
    )
    async_add_what_is_reported(
        coordinator, async_add_entities, lambda: coordinator.data.reported, make
    )
    async_add_mbus_sensors(coordinator, async_add_entities)


class NesMepSensor(NesMepValueEntity, SensorEntity):
    """A value of the meter."""

    @override
    def _show(self, value: Value | None) -> None:
        """Show a value, of states only those that there are."""
        if self.device_class is SensorDeviceClass.ENUM and value is not None:
            value = str(value) if str(value) in (self.options or ()) else None
        self._attr_native_value = with_zone(value)


class NesMepActiveTariff(NesMepSensor):
    """The tariff that counts now, one of as many as the meter has."""

    @property
    @override
    def options(self) -> list[str]:
        """Return the numbers of the tariffs that the meter has."""
        tiers = self.coordinator.meter.register_map.dimensions.tiers
        return [str(tariff) for tariff in range(1, max(tiers, 1) + 1)]


class NesMepLinkSensor(NesMepEntity, SensorEntity):
    """A counter of the link, known whether or not the meter answers."""

    def __init__(
        self,
        coordinator: MeterCoordinator,
        description: MeterSensorDescription,
        counter: str,
    ) -> None:
        """Make the sensor of a counter of the meter client."""
        super().__init__(coordinator, description, context=LINK)
        self._counter = counter
        self._attr_native_value = self._count

    @property
    def _count(self) -> float | None:
        """Return the counter as it is now."""
        count: float | None = getattr(self.coordinator.meter.statistics, self._counter)
        return None if count is None else round(count)

    @property
    @override
    def available(self) -> bool:
        """Return True: the counters tell most when the link is down."""
        return True

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if the counter is another."""
        if (count := self._count) != self._attr_native_value:
            self._attr_native_value = count
            super()._handle_coordinator_update()


class NesMepHistoryProgress(NesMepEntity, SensorEntity):
    """How much of the newest import of the load profile is done, in percent."""

    @property
    @override
    def available(self) -> bool:
        """Return True: an import that waits for the meter is still there."""
        return True

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if the import went on."""
        if (progress := self.coordinator.history.progress) != self._attr_native_value:
            self._attr_native_value = progress
            super()._handle_coordinator_update()
