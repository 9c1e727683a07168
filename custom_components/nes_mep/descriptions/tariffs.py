"""Sensors of the tariff calendar, which only a meter with several tariffs has."""

from typing import Final

from homeassistant.components.sensor import SensorDeviceClass

from .expand import TARIFFS, MeterSensorDescription, enabled

NEXT_TARIFF: Final = enabled(
    MeterSensorDescription(
        key="next_tariff",
        translation_key="next_tariff",
        device_class=SensorDeviceClass.ENUM,
        options=[str(tariff) for tariff in TARIFFS],
    )
)
NEXT_TARIFF_SWITCH: Final = enabled(
    MeterSensorDescription(
        key="next_tariff_switch",
        translation_key="next_tariff_switch",
        device_class=SensorDeviceClass.TIMESTAMP,
    )
)
TARIFF_SENSORS: Final = (NEXT_TARIFF, NEXT_TARIFF_SWITCH)
