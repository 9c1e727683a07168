"""Sensors of the average power of the tariff's intervals, and of the month's peaks."""

from collections.abc import Mapping, Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import UnitOfPower

from .expand import MeterSensorDescription


@dataclass(frozen=True, kw_only=True)
class PeakDescription(MeterSensorDescription):
    """A sensor of one direction, import or export; register is what counts in it."""

    direction: str
    register: str


def _power(name: str, direction: str) -> PeakDescription:
    key = f"{name}_power_{direction}"
    return PeakDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.POWER,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfPower.WATT,
        suggested_display_precision=0,
        entity_registry_enabled_default=direction == "import",
        direction=direction,
        register=f"energy_{direction}",
    )


def _time(direction: str) -> PeakDescription:
    key = f"month_peak_power_{direction}_time"
    return PeakDescription(
        key=key,
        translation_key=key,
        device_class=SensorDeviceClass.TIMESTAMP,
        entity_registry_enabled_default=direction == "import",
        direction=direction,
        register=f"energy_{direction}",
    )


PEAK_SENSORS: Final[Mapping[str, PeakDescription]] = {
    description.key: description
    for direction in ("import", "export")
    for description in (
        _power("interval", direction),
        _power("last_interval", direction),
        _power("month_peak", direction),
        _time(direction),
        _power("month_mean_peak", direction),
    )
}
"""Sensors of averages and peaks, by key."""


def peak_keys(registers: AbstractSet[str]) -> set[str]:
    """Return the keys of the sensors that a meter with these registers has."""
    return {
        key
        for key, description in PEAK_SENSORS.items()
        if description.register in registers
    }
