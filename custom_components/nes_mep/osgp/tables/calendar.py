"""The tariff calendar, as far as it says when readings are stored: BT50 and BT54."""

from dataclasses import dataclass
from typing import Final

from .fields import TableData

CALENDAR_DIMENSIONS_LENGTH: Final = 9

_DATE = 3
"""Bytes of a date and its action."""
_TIER_SWITCH = 3
_CALENDAR_ID = 4
_WEEK = 3
"""Bytes of a season's schedules: Saturday, Sunday, weekdays; special ones follow."""
_SEPARATE_WEEK = 7
_SELF_READ_BIT = 6
_NEW_FORMAT_BIT = 7


@dataclass(frozen=True, slots=True)
class CalendarDimensions:
    """BT50: how many dates BT54 has room for, those of one year and recurring ones."""

    dates: int
    recurring_dates: int

    @property
    def dates_length(self) -> int:
        """Length of the dates in bytes, which are the beginning of BT54."""
        return _DATE * (self.dates + self.recurring_dates)


def decode_calendar_dimensions(data: bytes) -> CalendarDimensions:
    """Decode BT50, 9 bytes.

    Raises DecodeError, also where its counts do not add up to the length of BT54.
    """
    table = TableData("BT50", data)
    dimensions = CalendarDimensions(table.uint(3), table.uint(4))
    seasons, special = table.uint(2) & 0xF, table.uint(2) >> 4
    week = _SEPARATE_WEEK if table.bit(1, 1) else _WEEK
    length = (
        dimensions.dates_length
        + _TIER_SWITCH * table.uint(5, 2)
        + seasons * (week + special)
        + _CALENDAR_ID
    )
    if length != table.uint(7, 2):
        raise table.error(7, 2, f"the parts of the calendar have {length} bytes")
    return dimensions


def decode_has_self_reads(data: bytes, dimensions: CalendarDimensions) -> bool:
    """Decode the dates of BT54, dimensions.dates_length bytes: is one a self-read?

    Raises DecodeError, also for a calendar in the format of firmware before 3.50 where
    there is room for the later one: the guide does not say where its dates are.
    """
    table = TableData("BT54", data)
    first = _DATE * dimensions.dates
    has_new_format = dimensions.recurring_dates and table.bit(
        first + 2, _NEW_FORMAT_BIT
    )
    if dimensions.dates and not has_new_format:
        raise table.error(first + 2, 1, "the calendar has its old format")
    return any(
        table.bit(offset + 2, _SELF_READ_BIT) and _is_used(table, offset, first)
        for offset in range(0, dimensions.dates_length, _DATE)
    )


def _is_used(table: TableData, offset: int, first_recurring: int) -> bool:
    """Return whether a date has a month; a recurring one has it in its lowest bits."""
    date = table.uint(offset, 2)
    return bool((date if offset >= first_recurring else date >> 7) & 0xF)
