"""Sensors of what the grid company writes on the meter's display."""

from typing import Final

from homeassistant.const import EntityCategory

from .expand import MeterSensorDescription, enabled

MESSAGE: Final = enabled(
    MeterSensorDescription(key="message", translation_key="message")
)
_TEXTS: Final = range(1, 9)

MESSAGE_SENSORS: Final = (
    MESSAGE,
    *(
        MeterSensorDescription(
            key=f"display_text_{number}",
            translation_key="display_text",
            translation_placeholders={"text": str(number)},
            entity_category=EntityCategory.DIAGNOSTIC,
        )
        for number in _TEXTS
    ),
)
