"""Sensors: one for each register of the meter."""

from collections.abc import Iterator
from dataclasses import replace
from typing import override

from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.const import (
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfEnergy,
    UnitOfPower,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import MeterCoordinator, NesMepConfigEntry
from .entity import NesMepEntity

PARALLEL_UPDATES = 0


def _energy(key: str) -> SensorEntityDescription:
    """Describe a register of energy."""
    return SensorEntityDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.ENERGY,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
        suggested_display_precision=3,
    )


def _power(key: str) -> SensorEntityDescription:
    """Describe a register of active power."""
    return SensorEntityDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
    )


def _per_phase(
    description: SensorEntityDescription,
) -> Iterator[SensorEntityDescription]:
    """Describe a register that exists for each phase: key_l1, key_l2, key_l3."""
    for phase in (1, 2, 3):
        yield replace(
            description,
            key=f"{description.key}_l{phase}",
            translation_placeholders={"phase": f"L{phase}"},
        )


SENSORS: tuple[SensorEntityDescription, ...] = (
    _energy("energy_import"),
    _energy("energy_export"),
    _power("power_import"),
    _power("power_export"),
    _power("power_net"),
    *_per_phase(
        SensorEntityDescription(
            key="voltage",
            translation_key="voltage",
            device_class=SensorDeviceClass.VOLTAGE,
            state_class=SensorStateClass.MEASUREMENT,
            native_unit_of_measurement=UnitOfElectricPotential.VOLT,
            suggested_display_precision=1,
        )
    ),
    *_per_phase(
        SensorEntityDescription(
            key="current",
            translation_key="current",
            device_class=SensorDeviceClass.CURRENT,
            state_class=SensorStateClass.MEASUREMENT,
            native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
            suggested_display_precision=2,
        )
    ),
    *_per_phase(
        replace(
            _power("power_import"),
            translation_key="power_import_phase",
            entity_registry_enabled_default=False,
        )
    ),
    *_per_phase(
        replace(
            _power("power_export"),
            translation_key="power_export_phase",
            entity_registry_enabled_default=False,
        )
    ),
)

DEFAULT_REGISTERS = frozenset(
    description.key
    for description in SENSORS
    if description.entity_registry_enabled_default
)
"""Keys of the registers whose sensors are enabled when a meter is new."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a sensor for each register that the meter reports."""
    coordinator = entry.runtime_data
    async_add_entities(
        NesMepSensor(coordinator, description)
        for description in SENSORS
        if description.key in coordinator.meter.registers
    )


class NesMepSensor(NesMepEntity, SensorEntity):
    """A register of the meter; without a reading it is unavailable."""

    def __init__(
        self, coordinator: MeterCoordinator, description: SensorEntityDescription
    ) -> None:
        """Make the sensor with what the meter said last."""
        super().__init__(coordinator, description, register=description.key)
        self._attr_native_value = self._reading

    @property
    def _reading(self) -> float | None:
        """Return the reading of the last poll, None if there is none."""
        if not self.coordinator.last_update_success:
            return None
        return self.coordinator.data.values.get(self.entity_description.key)

    @property
    @override
    def available(self) -> bool:
        """Return whether the last poll brought a reading."""
        return self._attr_native_value is not None

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if the reading is another: most registers rest most polls."""
        if (reading := self._reading) != self._attr_native_value:
            self._attr_native_value = reading
            super()._handle_coordinator_update()
