"""The sensor of the progress of a history import."""

from typing import Final

from homeassistant.const import PERCENTAGE, EntityCategory

from .expand import MeterSensorDescription, enabled

HISTORY_PROGRESS: Final = enabled(
    MeterSensorDescription(
        key="history_progress",
        translation_key="history_progress",
        entity_category=EntityCategory.DIAGNOSTIC,
        native_unit_of_measurement=PERCENTAGE,
        suggested_display_precision=0,
    )
)
