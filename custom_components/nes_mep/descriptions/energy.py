"""Sensors of the summations in BT23."""

from itertools import chain

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import (
    EntityCategory,
    UnitOfEnergy,
    UnitOfReactiveEnergy,
    UnitOfTime,
)

from .expand import MeterSensorDescription, enabled, named, per_quadrant, with_tariffs

_ENERGY = MeterSensorDescription(
    key="energy",
    device_class=SensorDeviceClass.ENERGY,
    state_class=SensorStateClass.TOTAL_INCREASING,
    native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    suggested_display_precision=3,
)
_NET_ENERGY = MeterSensorDescription(
    key="energy_net",
    translation_key="energy_net",
    device_class=SensorDeviceClass.ENERGY,
    # It falls while more is exported than imported.
    state_class=SensorStateClass.TOTAL,
    native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    suggested_display_precision=3,
)
_REACTIVE_ENERGY = MeterSensorDescription(
    key="reactive_energy",
    device_class=SensorDeviceClass.REACTIVE_ENERGY,
    state_class=SensorStateClass.TOTAL_INCREASING,
    native_unit_of_measurement=UnitOfReactiveEnergy.KILO_VOLT_AMPERE_REACTIVE_HOUR,
    suggested_display_precision=3,
)
# There is no device class for it, and no constant for its unit.
_APPARENT_ENERGY = MeterSensorDescription(
    key="apparent_energy",
    state_class=SensorStateClass.TOTAL_INCREASING,
    native_unit_of_measurement="kVAh",
    suggested_display_precision=3,
)
_COUNT = MeterSensorDescription(
    key="count",
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_display_precision=0,
)
_DIAGNOSTIC_COUNT = MeterSensorDescription(
    key="count",
    entity_category=EntityCategory.DIAGNOSTIC,
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_display_precision=0,
)

ENERGY_SENSORS = (
    *chain.from_iterable(
        with_tariffs(description)
        for description in (
            enabled(named(_ENERGY, "energy_import")),
            enabled(named(_ENERGY, "energy_export")),
            named(_REACTIVE_ENERGY, "reactive_energy_import"),
            named(_REACTIVE_ENERGY, "reactive_energy_export"),
            named(_ENERGY, "energy_combined"),
            _NET_ENERGY,
            *per_quadrant(
                named(_REACTIVE_ENERGY, "reactive_energy"), suffix="_quadrant"
            ),
            *per_quadrant(
                named(_APPARENT_ENERGY, "apparent_energy"), suffix="_quadrant"
            ),
        )
    ),
    MeterSensorDescription(
        key="power_outage_duration",
        translation_key="power_outage_duration",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.TOTAL_INCREASING,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
    ),
    named(_DIAGNOSTIC_COUNT, "power_outages"),
    named(_DIAGNOSTIC_COUNT, "meter_errors"),
    named(_COUNT, "pulse_input_1"),
    named(_COUNT, "pulse_input_2"),
)
