"""Sensors of the demands in BT23 and BT28.

Any present value can have a demand, with a time, cumulative values and coincident
values of other quantities, in total and per tariff: too many to list, so they are
described when a meter has them.
"""

from collections.abc import Mapping
from dataclasses import replace
import re
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import EntityCategory

from .expand import MeterSensorDescription, for_tariff
from .present_values import POWER_SENSORS

_QUANTITIES: Final[Mapping[str, MeterSensorDescription]] = {
    description.key: description for description in POWER_SENSORS
}

_DEMAND = re.compile(
    r"(?P<name>(?:present|previous|maximum|minimum|cumulative|continuous_cumulative)"
    r"_demand)_(?P<quantity>\w+?)(?P<time>_time)?(?:_tariff_(?P<tariff>[1-8]))?"
)
_COINCIDENT = re.compile(
    r"coincident_(?P<quantity>\w+)_at_(?P<name>(?:maximum|minimum)_demand)"
    r"_(?P<demand>\w+?)(?:_tariff_(?P<tariff>[1-8]))?"
)

DEMAND_RESETS = MeterSensorDescription(
    key="demand_resets",
    translation_key="demand_resets",
    entity_category=EntityCategory.DIAGNOSTIC,
    # It starts again after 255.
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_display_precision=0,
)


def describe_demand(key: str) -> MeterSensorDescription | None:
    """Describe the sensor of a demand register, None if the key is not that of one."""
    if key == DEMAND_RESETS.key:
        return DEMAND_RESETS
    if match := _DEMAND.fullmatch(key):
        return _describe_demand(match)
    if match := _COINCIDENT.fullmatch(key):
        return _describe_coincident(match)
    return None


def _describe_demand(match: re.Match[str]) -> MeterSensorDescription | None:
    if (quantity := _QUANTITIES.get(match["quantity"])) is None:
        return None
    description = replace(
        quantity,
        key=f"{match['name']}_{quantity.key}",
        translation_key=match["name"],
        translation_placeholders=None,
        name_parts={"quantity": (quantity,)},
        entity_registry_enabled_default=False,
    )
    if "cumulative" in match["name"]:
        # A sum of maxima is not a measurement, and these device classes allow no total.
        description = replace(description, state_class=None)
    if match["time"]:
        description = replace(
            description,
            key=f"{description.key}_time",
            translation_key=f"{match['name']}_time",
            device_class=SensorDeviceClass.TIMESTAMP,
            state_class=None,
            native_unit_of_measurement=None,
            suggested_display_precision=None,
        )
    return _in_tariff(description, match)


def _describe_coincident(match: re.Match[str]) -> MeterSensorDescription | None:
    quantity = _QUANTITIES.get(match["quantity"])
    demand = _QUANTITIES.get(match["demand"])
    if quantity is None or demand is None:
        return None
    description = replace(
        quantity,
        key=f"coincident_{quantity.key}_at_{match['name']}_{demand.key}",
        translation_key=f"coincident_at_{match['name']}",
        translation_placeholders=None,
        name_parts={"quantity": (quantity,), "demand": (demand,)},
        entity_registry_enabled_default=False,
    )
    return _in_tariff(description, match)


def _in_tariff(
    description: MeterSensorDescription, match: re.Match[str]
) -> MeterSensorDescription:
    tariff = match["tariff"]
    return description if tariff is None else for_tariff(description, tariff)
