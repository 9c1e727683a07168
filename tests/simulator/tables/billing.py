"""What is stored for the bill: BT24, BT25, BT26, ET41; the calendar BT54."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from ..billing import Billing, StoredReading
from ..profiles import Profile
from .clock import Calendar
from .dimensions import registers_length
from .layout import Layout, View, Writer, ring, table
from .registers import registers
from .status import CALENDAR

_EVERY_MONTH, _LAST = 13, 6
_SUNDAY, _NO_WEEKDAY = 0, 7
_DST_ON, _DST_OFF, _FIRST_SEASON = 1, 2, 3
_SELF_READ, _NEW_FORMAT = 1 << 6, 1 << 7
_SWITCHES = 10  # of a schedule
_SCHEDULED = 0


@lru_cache(maxsize=1024)
def _registers(stored: StoredReading, zone: ZoneInfo) -> bytes:
    """Return time, season and the registers as in BT23; the time is local."""
    time = datetime.fromtimestamp(stored.time, zone)
    return (
        Layout()
        .add("5B", time.year - 2000, *time.timetuple()[1:5])
        .add("B", stored.season)
        .done()
    ) + registers(stored.snapshot, zone)


def _single(view: View, name: str) -> bytes:
    """Return the newest reading; zeros where there is none."""
    length = 6 + registers_length(view.profile)
    found = Billing(view.profile, view.state, view.history).of(name)
    data = _registers(found[-1], view.zone) if found else b""
    return data[:length].ljust(length, b"\0")


@table("BT24")
def previous_season(view: View) -> bytes:
    """The registers at the end of the previous season."""
    return _single(view, "BT24")


@table("BT25")
def previous_demand_reset(view: View) -> bytes:
    """The registers at the last demand reset."""
    return _single(view, "BT25")


@table("BT26")
def self_reads(view: View) -> bytes:
    """A ring of readings; with demand, a billing number comes before each."""
    profile = view.profile
    size = 6 + registers_length(profile) + 2 * bool(profile.demand)
    capacity = profile.self_reads
    found = Billing(profile, view.state, view.history).of("BT26")
    entries = []
    for stored in found[-capacity:] if capacity else ():
        number = stored.billing_number.to_bytes(2, "little")
        data = number * bool(profile.demand) + _registers(stored, view.zone)
        entries.append(data[:size])
    return ring(entries, len(found), capacity, size)


@table("ET41", since=(3, 10))
def demand_resets(view: View) -> bytes:
    """A ring of readings at demand resets; the last index is 0, as the guide has it."""
    profile = view.profile
    size = 11 + registers_length(profile)
    capacity = profile.reset_log
    found = Billing(profile, view.state, view.history).of("ET41")
    entries = [
        Layout()
        .add("HBH", size, _SCHEDULED, stored.billing_number)
        .add(f"{size - 5}s", _registers(stored, view.zone))
        .done()
        for stored in (found[-capacity:] if capacity else ())
    ]
    return ring(entries, len(found), capacity, size, last=0)


@table("BT54", Writer.ADVANCED)
def calendar(view: View) -> bytes:
    """Summer time, seasons, self-reads, and one schedule of tier switches."""
    profile, room = view.profile, Calendar.of(view.profile)
    layout = Layout(room.length)
    start = 3 * room.dates
    for number, (date, action) in enumerate(_dates(profile)):
        if number == 0 and room.dates:
            action |= _NEW_FORMAT
        layout.put(start + 3 * number, "HB", date, action)
    start += 3 * room.recurring
    switches = [
        (hour, tier)
        for hour, tier in enumerate(profile.tariff)
        if not hour or tier != profile.tariff[hour - 1]
    ]
    for number, (hour, tier) in enumerate(switches[:_SWITCHES]):
        layout.put(start + 3 * number, "HB", tier | hour << 11, 0)
    return layout.put(room.length - 4, "I", CALENDAR).done()


def _dates(profile: Profile) -> list[tuple[int, int]]:
    """Return the recurring dates (RDATE) and what is done on each."""
    last_sunday = _LAST << 4 | _SUNDAY << 8 | 25 << 11
    dates = [(3 | last_sunday, _DST_ON), (10 | last_sunday, _DST_OFF)]
    first_day = _NO_WEEKDAY << 8 | 1 << 11
    dates += [
        (month + 1 | first_day, _FIRST_SEASON + season)
        for month, season in enumerate(profile.seasons)
        if season != profile.seasons[month - 1]
    ]
    if profile.monthly_self_read:
        dates.append((_EVERY_MONTH | first_day, _SELF_READ))
    return dates
