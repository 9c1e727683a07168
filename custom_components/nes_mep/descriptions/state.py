"""Sensors and binary sensors of the clocks, the tariff and the meter's own state."""

from collections.abc import Mapping
from typing import Final

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntityDescription,
)
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import (
    PERCENTAGE,
    EntityCategory,
    UnitOfElectricPotential,
    UnitOfFrequency,
    UnitOfTime,
)

from .expand import TARIFFS, MeterSensorDescription, enabled, named, per_phase
from .switching import SWITCHING_STATES

ACTIVE_TARIFF: Final = MeterSensorDescription(
    key="active_tariff",
    translation_key="active_tariff",
    device_class=SensorDeviceClass.ENUM,
    options=[str(tariff) for tariff in TARIFFS],
)

CLOCK_DRIFT: Final = MeterSensorDescription(
    key="clock_drift",
    translation_key="clock_drift",
    entity_category=EntityCategory.DIAGNOSTIC,
    device_class=SensorDeviceClass.DURATION,
    state_class=SensorStateClass.MEASUREMENT,
    native_unit_of_measurement=UnitOfTime.SECONDS,
    suggested_display_precision=1,
)

CLOCK_SENSORS = (
    CLOCK_DRIFT,
    ACTIVE_TARIFF,
    MeterSensorDescription(
        key="season",
        translation_key="season",
        entity_category=EntityCategory.DIAGNOSTIC,
    ),
    MeterSensorDescription(
        key="tariff_control",
        translation_key="tariff_control",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.ENUM,
        options=["calendar", "manual", "manual_indefinitely", "override"],
    ),
    enabled(
        MeterSensorDescription(
            key="disconnect_state",
            translation_key="disconnect_state",
            entity_category=EntityCategory.DIAGNOSTIC,
            device_class=SensorDeviceClass.ENUM,
            options=["closed", "closing", "open", "opening"],
        )
    ),
)

_MOMENT = MeterSensorDescription(
    key="moment",
    entity_category=EntityCategory.DIAGNOSTIC,
    device_class=SensorDeviceClass.TIMESTAMP,
)
_COUNT = MeterSensorDescription(
    key="count",
    entity_category=EntityCategory.DIAGNOSTIC,
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_display_precision=0,
)
# A value of a past event, of which statistics make no sense.
_EXTREME_VOLTAGE = MeterSensorDescription(
    key="voltage",
    entity_category=EntityCategory.DIAGNOSTIC,
    device_class=SensorDeviceClass.VOLTAGE,
    native_unit_of_measurement=UnitOfElectricPotential.VOLT,
    suggested_display_precision=1,
)
_EXTREME_FREQUENCY = MeterSensorDescription(
    key="frequency",
    entity_category=EntityCategory.DIAGNOSTIC,
    device_class=SensorDeviceClass.FREQUENCY,
    native_unit_of_measurement=UnitOfFrequency.HERTZ,
    suggested_display_precision=2,
)
_DISTORTION = MeterSensorDescription(
    key="distortion",
    entity_category=EntityCategory.DIAGNOSTIC,
    state_class=SensorStateClass.MEASUREMENT,
    native_unit_of_measurement=PERCENTAGE,
    suggested_display_precision=1,
)

OUTAGE_SENSORS = (
    named(_MOMENT, "last_outage_start"),
    named(_MOMENT, "last_outage_end"),
    MeterSensorDescription(
        key="last_outage_duration",
        translation_key="last_outage_duration",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
    ),
)

POWER_QUALITY_SENSORS = (
    *per_phase(named(_COUNT, "sags")),
    *per_phase(named(_MOMENT, "last_sag")),
    *per_phase(named(_EXTREME_VOLTAGE, "sag_voltage")),
    *per_phase(named(_COUNT, "deep_sags")),
    *per_phase(named(_COUNT, "swells")),
    *per_phase(named(_MOMENT, "last_swell")),
    *per_phase(named(_EXTREME_VOLTAGE, "swell_voltage")),
    *per_phase(named(_COUNT, "overcurrents")),
    *per_phase(named(_COUNT, "phase_losses")),
    *per_phase(named(_MOMENT, "last_phase_loss")),
    named(_COUNT, "short_outages"),
    named(_EXTREME_FREQUENCY, "minimum_frequency"),
    named(_MOMENT, "minimum_frequency_time"),
    named(_EXTREME_FREQUENCY, "maximum_frequency"),
    named(_MOMENT, "maximum_frequency_time"),
    *per_phase(named(_DISTORTION, "maximum_thd_voltage")),
    *per_phase(named(_DISTORTION, "maximum_thd_current")),
    *per_phase(named(_DISTORTION, "average_thd_voltage")),
    *per_phase(named(_DISTORTION, "average_thd_current")),
)


def _alarm(
    name: str,
    device_class: BinarySensorDeviceClass | None,
    *,
    is_enabled: bool = False,
) -> BinarySensorEntityDescription:
    """Describe an alarm; one that an owner can act on is enabled by default."""
    return BinarySensorEntityDescription(
        key=f"alarm_{name}",
        translation_key=f"alarm_{name}",
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=is_enabled,
        device_class=device_class,
    )


BINARY_SENSORS: Final[Mapping[str, BinarySensorEntityDescription]] = {
    description.key: description
    for description in (
        BinarySensorEntityDescription(
            key="daylight_saving",
            translation_key="daylight_saving",
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
        ),
        _alarm("clock_error", BinarySensorDeviceClass.PROBLEM, is_enabled=True),
        _alarm("low_battery", BinarySensorDeviceClass.BATTERY, is_enabled=True),
        _alarm("measurement_error", BinarySensorDeviceClass.PROBLEM, is_enabled=True),
        _alarm("memory_failure", BinarySensorDeviceClass.PROBLEM, is_enabled=True),
        _alarm("neutral_fault", BinarySensorDeviceClass.PROBLEM, is_enabled=True),
        _alarm("phase_loss", BinarySensorDeviceClass.PROBLEM, is_enabled=True),
        _alarm("disconnect_error", BinarySensorDeviceClass.PROBLEM, is_enabled=True),
        _alarm("cover_removed", BinarySensorDeviceClass.TAMPER),
        _alarm("load_side_voltage", BinarySensorDeviceClass.PROBLEM),
        _alarm("magnetic_tamper", BinarySensorDeviceClass.TAMPER),
        _alarm("phase_inversion", BinarySensorDeviceClass.PROBLEM),
        _alarm("power_failure", BinarySensorDeviceClass.PROBLEM),
        _alarm("power_quality", BinarySensorDeviceClass.PROBLEM),
        _alarm("prepay_exhausted", BinarySensorDeviceClass.PROBLEM),
        _alarm("unbalanced_voltage", BinarySensorDeviceClass.PROBLEM),
        _alarm("unused_phase_current", BinarySensorDeviceClass.PROBLEM),
        # Somebody has seen the warning, which is not a problem.
        _alarm("prepay_warning", None),
        # Homes that export have it on all day, which is not a problem.
        _alarm("reverse_energy", None),
        *SWITCHING_STATES,
    )
}
"""Binary sensors of what a meter reports, by key."""

ALARMS: Final[Mapping[str, str]] = {
    key.removeprefix("alarm_"): key
    for key, description in BINARY_SENSORS.items()
    # Others are states that come and go in a healthy home.
    if key.startswith("alarm_") and description.device_class is not None
}
"""Keys of the alarms that tell of a problem, by name."""
