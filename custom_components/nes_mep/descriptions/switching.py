"""What switches loads: control relays, the step tariff, the limit of the power."""

from typing import Final

from homeassistant.components.binary_sensor import BinarySensorEntityDescription
from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory, UnitOfPower, UnitOfTime

from .expand import MeterSensorDescription

_NUMBERS: Final = (1, 2)


def _state(key: str) -> BinarySensorEntityDescription:
    return BinarySensorEntityDescription(
        key=key,
        translation_key=key,
        entity_category=EntityCategory.DIAGNOSTIC,
        entity_registry_enabled_default=False,
    )


SWITCHING_STATES: Final = (
    # No device class: "opening" is for doors and windows, and would be listed with them.
    *(
        BinarySensorEntityDescription(
            key=f"control_relay_{number}",
            translation_key="control_relay",
            translation_placeholders={"number": str(number)},
        )
        for number in _NUMBERS
    ),
    *(
        BinarySensorEntityDescription(
            key=f"control_relay_{number}_pending",
            translation_key="control_relay_pending",
            translation_placeholders={"number": str(number)},
            entity_category=EntityCategory.DIAGNOSTIC,
            entity_registry_enabled_default=False,
        )
        for number in _NUMBERS
    ),
    _state("power_limit_enabled"),
    _state("step_tariff"),
)

SWITCHING_SENSORS: Final = (
    *(
        MeterSensorDescription(
            key=f"control_relay_{number}_delay",
            translation_key="control_relay_delay",
            translation_placeholders={"number": str(number)},
            entity_category=EntityCategory.DIAGNOSTIC,
            device_class=SensorDeviceClass.DURATION,
            native_unit_of_measurement=UnitOfTime.SECONDS,
            suggested_display_precision=0,
        )
        for number in _NUMBERS
    ),
    MeterSensorDescription(
        key="power_limit",
        translation_key="power_limit",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.POWER,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
    ),
    MeterSensorDescription(
        key="power_limit_interval",
        translation_key="power_limit_interval",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        native_unit_of_measurement=UnitOfTime.SECONDS,
        suggested_display_precision=0,
    ),
    MeterSensorDescription(
        key="last_cut_off",
        translation_key="last_cut_off",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.TIMESTAMP,
    ),
)
