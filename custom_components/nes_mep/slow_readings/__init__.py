"""What is read less often than the registers, between their polls."""

from .billing import is_valid, reading_as_json
from .events import METER_EVENT, event_as_json
from .mbus import MBUS
from .reading import SlowReading
from .readings import SlowReadings
from .tariffs import TARIFF_CALENDAR

__all__ = [
    "MBUS",
    "METER_EVENT",
    "TARIFF_CALENDAR",
    "SlowReading",
    "SlowReadings",
    "event_as_json",
    "is_valid",
    "reading_as_json",
]
