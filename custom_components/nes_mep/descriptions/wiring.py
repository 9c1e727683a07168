"""How the meter is wired, as it finds it."""

from itertools import combinations
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory

from .expand import PHASES, MeterSensorDescription


def _choice(key: str, *options: str) -> MeterSensorDescription:
    return MeterSensorDescription(
        key=key,
        translation_key=key,
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.ENUM,
        options=list(options),
    )


WIRING_SENSORS: Final = (
    _choice(
        "absent_phases",
        "none",
        *(
            "_".join(f"l{phase}" for phase in phases)
            for count in (1, 2)
            for phases in combinations(PHASES, count)
        ),
    ),
    _choice("miswiring", "none", "low_voltage", "high_voltage", "same_phase"),
    _choice("phase_rotation", "l1_l2_l3", "l3_l2_l1"),
)
