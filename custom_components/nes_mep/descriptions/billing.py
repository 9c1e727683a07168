"""Sensors of what the meter stored on the last billing date, for checking a bill."""

from itertools import chain
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory, UnitOfEnergy

from .expand import MeterSensorDescription, enabled, named, with_tariffs

LAST_BILLING_DATE: Final = enabled(
    MeterSensorDescription(
        key="last_billing_date",
        translation_key="last_billing_date",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.TIMESTAMP,
    )
)
# Without a state class it has no statistics: the Energy dashboard must not offer it,
# since all of a month would be the consumption of one hour.
_READING = MeterSensorDescription(
    key="billing_energy",
    entity_category=EntityCategory.DIAGNOSTIC,
    device_class=SensorDeviceClass.ENERGY,
    native_unit_of_measurement=UnitOfEnergy.KILO_WATT_HOUR,
    suggested_display_precision=3,
)

BILLING_SENSORS: Final = (
    LAST_BILLING_DATE,
    *chain.from_iterable(
        with_tariffs(description)
        for description in (
            enabled(named(_READING, "billing_energy_import")),
            named(_READING, "billing_energy_export"),
        )
    ),
)
