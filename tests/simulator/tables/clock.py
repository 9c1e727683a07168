"""The clocks: BT50 (dimensions), BT52 (UTC), BT53 (offsets), BT55 (local)."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ..profiles import Profile
from .layout import Layout, View, Writer, long_time, table

_TIER_SWITCHES = 200
_DST = 1 << 3
_GMT = 1 << 4
_ZONE_AND_DST_APPLIED = 0b11 << 5


class Offsets(NamedTuple):
    """A time zone in a year: offsets in minutes, and when DST comes and goes.

    ``on`` and ``off`` are minutes of the day on the clock that is about to change.
    """

    zone: int
    dst: int = 0
    on: int = 0
    off: int = 0


@lru_cache(maxsize=8)
def offsets(zone: ZoneInfo, year: int) -> Offsets:
    """Return the offsets of a time zone in a year."""
    time = datetime(year, 1, 1, tzinfo=UTC)
    before = time.astimezone(zone)
    dst = before.dst() or timedelta()
    found = Offsets(_minutes((before.utcoffset() or timedelta()) - dst))
    while (time := time + timedelta(hours=1)).year == year:
        local = time.astimezone(zone)
        changed = local.dst() or timedelta()
        wall = before.hour * 60 + before.minute + 60
        if changed > dst:
            found = found._replace(dst=_minutes(changed), on=wall % 1440)
        elif changed < dst:
            found = found._replace(off=wall % 1440)
        before, dst = local, changed
    return found


def _minutes(span: timedelta) -> int:
    return int(span.total_seconds()) // 60


def _day_of_week(time: datetime) -> int:
    """Return 0 for Sunday."""
    return time.isoweekday() % 7


class Calendar(NamedTuple):
    """How many seasons, dates of one year and recurring dates the calendar can hold."""

    seasons: int
    dates: int
    recurring: int = 23

    @classmethod
    def of(cls, profile: Profile) -> "Calendar":
        """Return the size that a firmware's calendar has."""
        return cls(12, 25) if profile.since(3, 50) else cls(4, 0)

    @property
    def length(self) -> int:
        """The bytes of BT54; a season has three schedules and two special ones."""
        dates = 3 * (self.dates + self.recurring)
        return dates + 3 * _TIER_SWITCHES + 5 * self.seasons + 4


@table("BT50")
def tariff_dimensions(view: View) -> bytes:
    """What the TOU calendar can hold."""
    room = Calendar.of(view.profile)
    return (
        Layout()
        .put(0, "BB", 0b000011, 0b11000)
        .put(2, "BBB", 2 << 4 | room.seasons, room.dates, room.recurring)
        .put(5, "HH", _TIER_SWITCHES, room.length)
        .done()
    )


@table("BT52")
def utc_clock(view: View) -> bytes:
    """Date and time in UTC, day of week, DST flag."""
    dst = view.clock.astimezone(view.zone).dst()
    flags = _day_of_week(view.clock) | _GMT | (_DST if dst else 0)
    return Layout().put(0, "6sB", long_time(view.clock), flags).done()


@table("BT53", Writer.ADVANCED)
def time_offset(view: View) -> bytes:
    """When DST comes, how far it moves the clock, and the time zone."""
    zone = offsets(view.zone, view.clock.year)
    hour, minute = divmod(zone.on, 60)
    return Layout().put(0, "BBBBh", hour, minute, 0, zone.dst, zone.zone).done()


@table("BT55")
def local_clock(view: View) -> bytes:
    """Local date and time (changes once a minute), tier, tier drive, season."""
    local = view.clock.astimezone(view.zone)
    flags = _day_of_week(local) | (_DST if local.dst() else 0) | _ZONE_AND_DST_APPLIED
    time = long_time(local.replace(second=0))
    override = view.snapshot.override
    drive = override.drive if override else 0
    tariff = view.snapshot.tier | drive << 6 | view.season << 12
    return Layout().put(0, "6sBH", time, flags, tariff).done()
