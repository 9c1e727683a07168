"""The clocks of the meter: BT52."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .data import TableData

UTC_CLOCK_LENGTH = 7


@dataclass(frozen=True, slots=True)
class UtcClock:
    """BT52: the meter's clock, aware and in UTC.

    daylight_saving says whether daylight saving time is in effect at the meter;
    the time does not include it.
    """

    time: datetime
    daylight_saving: bool


def decode_utc_clock(data: bytes) -> UtcClock:
    """Decode BT52, 7 bytes."""
    table = TableData("BT52", data)
    return UtcClock(
        time=table.date_time(0, UTC),
        daylight_saving=table.bit(6, 3),
    )
