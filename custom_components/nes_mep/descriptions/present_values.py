"""Sensors of the present values in BT28."""

from dataclasses import replace
from itertools import chain

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import (
    DEGREE,
    UnitOfApparentPower,
    UnitOfElectricCurrent,
    UnitOfElectricPotential,
    UnitOfFrequency,
    UnitOfPower,
    UnitOfReactivePower,
)

from .expand import MeterSensorDescription, enabled, named, per_phase, per_quadrant

_POWER = MeterSensorDescription(
    key="power",
    device_class=SensorDeviceClass.POWER,
    state_class=SensorStateClass.MEASUREMENT,
    native_unit_of_measurement=UnitOfPower.WATT,
    suggested_display_precision=0,
)
_REACTIVE_POWER = MeterSensorDescription(
    key="reactive_power",
    device_class=SensorDeviceClass.REACTIVE_POWER,
    state_class=SensorStateClass.MEASUREMENT,
    native_unit_of_measurement=UnitOfReactivePower.VOLT_AMPERE_REACTIVE,
    suggested_display_precision=0,
)
_APPARENT_POWER = MeterSensorDescription(
    key="apparent_power",
    device_class=SensorDeviceClass.APPARENT_POWER,
    state_class=SensorStateClass.MEASUREMENT,
    native_unit_of_measurement=UnitOfApparentPower.VOLT_AMPERE,
    suggested_display_precision=0,
)
_VOLTAGE = MeterSensorDescription(
    key="voltage",
    device_class=SensorDeviceClass.VOLTAGE,
    state_class=SensorStateClass.MEASUREMENT,
    native_unit_of_measurement=UnitOfElectricPotential.VOLT,
    suggested_display_precision=1,
)
_CURRENT = MeterSensorDescription(
    key="current",
    device_class=SensorDeviceClass.CURRENT,
    state_class=SensorStateClass.MEASUREMENT,
    native_unit_of_measurement=UnitOfElectricCurrent.AMPERE,
    suggested_display_precision=2,
)
_POWER_FACTOR = MeterSensorDescription(
    key="power_factor",
    device_class=SensorDeviceClass.POWER_FACTOR,
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=2,
)
_SINE = MeterSensorDescription(
    key="sine",
    state_class=SensorStateClass.MEASUREMENT,
    suggested_display_precision=3,
)
_ANGLE = MeterSensorDescription(
    key="voltage_angle",
    translation_key="voltage_angle",
    state_class=SensorStateClass.MEASUREMENT_ANGLE,
    native_unit_of_measurement=DEGREE,
    suggested_display_precision=1,
)

POWER_SENSORS = (
    enabled(named(_POWER, "power_import")),
    enabled(named(_POWER, "power_export")),
    enabled(named(_POWER, "power_net")),
    named(_REACTIVE_POWER, "reactive_power_import"),
    named(_REACTIVE_POWER, "reactive_power_export"),
    named(_APPARENT_POWER, "apparent_power"),
    *per_phase(enabled(named(_VOLTAGE, "voltage"))),
    *per_phase(enabled(named(_CURRENT, "current"))),
    *per_phase(enabled(named(_POWER, "power_import")), suffix="_phase"),
    *per_phase(enabled(named(_POWER, "power_export")), suffix="_phase"),
    *per_phase(named(_REACTIVE_POWER, "reactive_power_import"), suffix="_phase"),
    *per_phase(named(_REACTIVE_POWER, "reactive_power_export"), suffix="_phase"),
    *per_quadrant(named(_REACTIVE_POWER, "reactive_power"), suffix="_quadrant"),
    *per_quadrant(named(_APPARENT_POWER, "apparent_power"), suffix="_quadrant"),
    *chain.from_iterable(
        per_quadrant(description, suffix="_quadrant")
        for description in per_phase(
            named(_APPARENT_POWER, "apparent_power"), suffix="_phase"
        )
    ),
    *per_phase(named(_POWER_FACTOR, "power_factor")),
    *per_phase(named(_SINE, "phase_angle_sine")),
    named(
        MeterSensorDescription(
            key="frequency",
            device_class=SensorDeviceClass.FREQUENCY,
            state_class=SensorStateClass.MEASUREMENT,
            native_unit_of_measurement=UnitOfFrequency.HERTZ,
            suggested_display_precision=2,
        ),
        "frequency",
    ),
    *per_phase(named(_VOLTAGE, "continuous_voltage")),
    *per_phase(named(_VOLTAGE, "average_voltage")),
    *per_phase(named(_CURRENT, "average_current")),
    named(_POWER, "average_power_import"),
    named(_POWER, "average_power_export"),
    *per_phase(named(_POWER, "average_power_import"), suffix="_phase"),
    *per_phase(named(_POWER, "average_power_export"), suffix="_phase"),
    named(_CURRENT, "neutral_current"),
    *(
        replace(
            _ANGLE,
            key=f"voltage_angle_l{one}_l{other}",
            translation_placeholders={"phases": f"L{one}-L{other}"},
        )
        for one, other in ((1, 2), (2, 3), (3, 1))
    ),
)
