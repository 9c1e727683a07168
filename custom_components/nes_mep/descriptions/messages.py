"""The sensor of the grid company's message on the meter's display."""

from typing import Final

from .expand import MeterSensorDescription, enabled

MESSAGE: Final = enabled(
    MeterSensorDescription(key="message", translation_key="message")
)
