"""Descriptions of the entities: tables, one subject per module."""

from collections.abc import Mapping
from typing import Final

from .billing import BILLING_SENSORS, LAST_BILLING_DATE
from .demand import describe_demand
from .energy import ENERGY_SENSORS
from .expand import MeterSensorDescription
from .history import HISTORY_PROGRESS
from .link_counters import LINK_SENSORS
from .messages import MESSAGE, MESSAGE_SENSORS
from .names import name_placeholders, sensor_name
from .peaks import PEAK_SENSORS, PeakDescription, peak_keys
from .present_values import POWER_SENSORS
from .state import (
    ACTIVE_TARIFF,
    ALARMS,
    BINARY_SENSORS,
    CLOCK_DRIFT,
    CLOCK_SENSORS,
    OUTAGE_SENSORS,
    POWER_QUALITY_SENSORS,
)
from .switching import SWITCHING_SENSORS
from .tariffs import NEXT_TARIFF, NEXT_TARIFF_SWITCH, TARIFF_SENSORS
from .wiring import WIRING_SENSORS

__all__ = [
    "ACTIVE_TARIFF",
    "ALARMS",
    "BINARY_SENSORS",
    "CLOCK_DRIFT",
    "DEFAULT_REGISTERS",
    "HISTORY_PROGRESS",
    "LAST_BILLING_DATE",
    "LINK_SENSORS",
    "MESSAGE",
    "NEXT_TARIFF",
    "NEXT_TARIFF_SWITCH",
    "PEAK_SENSORS",
    "REGISTER_SENSORS",
    "SLOW_TABLE_SENSORS",
    "MeterSensorDescription",
    "PeakDescription",
    "describe_register",
    "describe_sensor",
    "name_placeholders",
    "peak_keys",
    "sensor_name",
]

REGISTER_SENSORS: Final[Mapping[str, MeterSensorDescription]] = {
    description.key: description for description in (*ENERGY_SENSORS, *POWER_SENSORS)
}
"""Sensors of registers by key, without demands, which describe_demand describes."""

DEFAULT_REGISTERS: Final = frozenset(
    description.key
    for description in REGISTER_SENSORS.values()
    if description.entity_registry_enabled_default
)
"""Keys of the registers whose sensors are enabled by default."""

SLOW_TABLE_SENSORS: Final[Mapping[str, MeterSensorDescription]] = {
    description.key: description
    for description in (
        *CLOCK_SENSORS,
        *TARIFF_SENSORS,
        *MESSAGE_SENSORS,
        *OUTAGE_SENSORS,
        *POWER_QUALITY_SENSORS,
        *BILLING_SENSORS,
        *SWITCHING_SENSORS,
        *WIRING_SENSORS,
    )
}
"""Sensors of slow tables, by key."""


def describe_register(key: str) -> MeterSensorDescription | None:
    """Describe the sensor of a register, None if it is not a register's key."""
    return REGISTER_SENSORS.get(key) or describe_demand(key)


def describe_sensor(key: str) -> MeterSensorDescription | None:
    """Describe the sensor of a key that a meter reports, None if it has none."""
    return SLOW_TABLE_SENSORS.get(key) or describe_register(key)
