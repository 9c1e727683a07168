"""The sensor of the import of the history."""

from typing import Final

from homeassistant.components.sensor import SensorDeviceClass
from homeassistant.const import EntityCategory

from .expand import MeterSensorDescription, enabled

HISTORY_PROGRESS: Final = enabled(
    MeterSensorDescription(
        key="history_progress",
        translation_key="history_progress",
        entity_category=EntityCategory.DIAGNOSTIC,
        device_class=SensorDeviceClass.ENUM,
        options=["complete", "importing", "nothing_to_import", "paused", "waiting"],
    )
)
"""Its key is from when it showed the progress; that is an attribute now."""
