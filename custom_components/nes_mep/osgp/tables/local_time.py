"""The meter's local time: BT53 and a field of ET04."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from .fields import TableData

TIME_OFFSET_LENGTH: Final = 6
DAYLIGHT_SAVING_END_OFFSET: Final = 63
"""Offset in ET04 of the minutes from begin to end of summer time, INT16."""
_ZONES: Final = range(-12 * 60, 14 * 60 + 1)
_LATER: Final = range(-12 * 60, 12 * 60)
"""Minutes that the guide allows."""
DAYLIGHT_SAVING_END_LENGTH: Final = 2


@dataclass(frozen=True, slots=True)
class LocalTimeRules:
    """How local time differs from UTC, and when it changes on a date of the calendar.

    begin and end are times of the day by the clock that is about to change. An end
    before midnight or after a whole day is on the day before or after.
    """

    zone: timedelta
    daylight_saving: timedelta
    begin: timedelta
    end: timedelta


def decode_local_time_rules(data: bytes, end: bytes) -> LocalTimeRules:
    """Decode BT53, 6 bytes, and the minutes of ET04, 2 bytes. Raises DecodeError."""
    table = TableData("BT53", data)
    hour, minute, second = table.raw(0, 3)
    if hour > 23 or minute > 59 or second > 59:
        raise table.error(0, 3, "no time of day")
    begin = timedelta(hours=hour, minutes=minute, seconds=second)
    system = TableData("ET04", end, DAYLIGHT_SAVING_END_OFFSET)
    return LocalTimeRules(
        zone=_minutes(table, 4, _ZONES),
        daylight_saving=timedelta(minutes=table.uint(3)),
        begin=begin,
        end=begin + _minutes(system, DAYLIGHT_SAVING_END_OFFSET, _LATER),
    )


def _minutes(table: TableData, offset: int, allowed: range) -> timedelta:
    """Return an INT16 of minutes. Raises DecodeError for more than is allowed."""
    minutes = int.from_bytes(table.raw(offset, 2), "little", signed=True)
    if minutes not in allowed:
        raise table.error(offset, 2, f"{minutes} minutes")
    return timedelta(minutes=minutes)
