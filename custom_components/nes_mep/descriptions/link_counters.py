"""Sensors of the link to the meter: its traffic and how often it had to recover."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import EntityCategory, UnitOfInformation, UnitOfTime

from .expand import MeterSensorDescription, named

_COUNT = MeterSensorDescription(
    key="count",
    entity_category=EntityCategory.DIAGNOSTIC,
    state_class=SensorStateClass.TOTAL_INCREASING,
    suggested_display_precision=0,
)
_BYTES = replace(
    _COUNT,
    device_class=SensorDeviceClass.DATA_SIZE,
    native_unit_of_measurement=UnitOfInformation.BYTES,
    suggested_unit_of_measurement=UnitOfInformation.MEGABYTES,
    suggested_display_precision=1,
)

LINK_SENSORS: Final[Mapping[str, MeterSensorDescription]] = {
    "last_reply_time": MeterSensorDescription(
        key="last_reply_time",
        translation_key="last_reply_time",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.DURATION,
        state_class=SensorStateClass.MEASUREMENT,
        native_unit_of_measurement=UnitOfTime.MILLISECONDS,
        suggested_display_precision=0,
    ),
    **{
        counter: named(_COUNT, f"link_{counter}")
        for counter in (
            "requests",
            "replies",
            "resent",
            "timeouts",
            "late_replies",
            "digest_failures",
            "sequence_resyncs",
            "authentication_failures",
            "alerts",
            "reopens",
            "tls_handshakes",
        )
    },
    "bytes_sent": named(_BYTES, "link_bytes_sent"),
    "bytes_received": named(_BYTES, "link_bytes_received"),
}
"""Sensors by the name of the counter in the meter client."""
