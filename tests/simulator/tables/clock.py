"""The clocks: BT52 (UTC) and BT55 (local)."""

from datetime import datetime
from zoneinfo import ZoneInfo

from .layout import Layout, View, table

_DST = 1 << 3
_GMT = 1 << 4
_ZONE_AND_DST_APPLIED = 0b11 << 5


def _date_and_time(time: datetime) -> bytes:
    return bytes((time.year - 2000, *time.timetuple()[1:6]))


def _day_of_week(time: datetime) -> int:
    """Return 0 for Sunday."""
    return time.isoweekday() % 7


@table("BT52")
def utc_clock(view: View) -> bytes:
    """Date and time in UTC, day of week, DST flag."""
    dst = view.clock.astimezone(ZoneInfo(view.profile.time_zone)).dst()
    flags = _day_of_week(view.clock) | _GMT | (_DST if dst else 0)
    return Layout().put(0, "6sB", _date_and_time(view.clock), flags).done()


@table("BT55")
def local_clock(view: View) -> bytes:
    """Local date and time (changes once a minute), active tier, season 0."""
    local = view.clock.astimezone(ZoneInfo(view.profile.time_zone))
    flags = _day_of_week(local) | (_DST if local.dst() else 0) | _ZONE_AND_DST_APPLIED
    time = _date_and_time(local.replace(second=0))
    return Layout().put(0, "6sBH", time, flags, view.snapshot.tier).done()
