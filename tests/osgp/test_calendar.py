"""Decoders of the tariff calendar and of its recurring dates, by hand."""

from datetime import date, timedelta

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.tables.calendar import (
    Season,
    TariffCalendar,
    TierSwitch,
    decode_calendar,
    decode_calendar_dimensions,
    decode_calendar_id,
)
from osgp.tables.recurring_dates import RecurringDate

_NEW = decode_calendar_dimensions(bytes.fromhex("03 18 2C 19 17 C800 2803"))
_WEEK = decode_calendar_dimensions(bytes.fromhex("03 1A 2C 19 17 C800 5803"))
_OLD = decode_calendar_dimensions(bytes.fromhex("03 18 24 00 17 C800 B502"))
_ID = 0x0001_2F05


def _days(month: int, offset: int, weekday: int, day: int) -> list[str]:
    """Return the days of 2026, from February on, on which an RDATE falls."""
    bits = month | offset << 4 | weekday << 8 | day << 11
    found = RecurringDate.decode(bits).between(date(2026, 2, 1), date(2026, 12, 31))
    return sorted(day.strftime("%m-%d") for day in found)


# In 2026, 15 August is a Saturday, 16 August a Sunday, and 17 August a Monday.
@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ((8, 0, 7, 15), ["08-15"]),
        ((8, 1, 6, 15), ["08-08"]),  # the Saturday before a Saturday
        ((8, 1, 0, 15), ["08-09"]),
        ((8, 1, 5, 15), ["08-14"]),
        ((8, 2, 6, 15), ["08-15"]),  # the first Saturday on or after it
        ((8, 2, 5, 15), ["08-21"]),
        ((8, 3, 5, 15), ["08-28"]),
        ((8, 4, 5, 15), ["09-04"]),  # the third Friday, in the month after
        ((8, 5, 6, 15), ["09-05"]),
        ((8, 6, 0, 25), ["08-30"]),
        ((8, 6, 1, 25), ["08-31"]),
        ((8, 6, 0, 31), []),  # no Sunday is left in August
        ((8, 7, 7, 31), ["08-31", "09-01"]),
        ((8, 8, 7, 16), ["08-17"]),
        ((8, 8, 7, 15), ["08-15"]),
        ((8, 9, 7, 16), ["08-14"]),
        ((8, 9, 7, 15), ["08-15"]),
        ((8, 10, 7, 15), ["08-17"]),
        ((8, 10, 7, 16), ["08-16"]),
        ((8, 11, 7, 15), ["08-14"]),
        ((8, 11, 7, 16), ["08-16"]),
        ((8, 12, 7, 15), ["08-17"]),
        ((8, 12, 7, 16), ["08-17"]),
        ((8, 13, 7, 15), ["08-14"]),
        ((8, 13, 7, 16), ["08-14"]),
        ((8, 13, 7, 17), ["08-17"]),
        ((8, 14, 7, 15), ["08-14"]),
        ((8, 14, 7, 16), ["08-17"]),
        ((8, 15, 7, 15), ["08-16"]),
        ((1, 15, 7, 31), ["02-01"]),  # moved into the span from before it
        ((2, 0, 7, 29), []),  # not a leap year
        ((8, 2, 7, 15), []),  # no weekday
        ((8, 0, 7, 0), []),
        ((0, 0, 7, 15), []),
        ((14, 0, 7, 0), []),
        ((15, 0, 1, 0), []),
    ],
)
def test_offsets(rule: tuple[int, int, int, int], expected: list[str]) -> None:
    """Every offset, on weekdays that it moves and on others."""
    assert _days(*rule) == expected


def test_recurrences() -> None:
    """Every month, and every week."""
    assert _days(13, 0, 7, 31) == ["03-31", "05-31", "07-31", "08-31", "10-31", "12-31"]
    wednesdays = _days(14, 0, 3, 0)
    assert (wednesdays[0], wednesdays[-1], len(wednesdays)) == ("02-04", "12-30", 48)


@given(
    st.integers(0, 0xFFFF),
    st.dates(date(2001, 1, 1), date(2120, 1, 1)),
    st.integers(0, 400),
    st.integers(0, 400),
)
def test_any_recurring_date(bits: int, first: date, before: int, after: int) -> None:
    """Which days are asked for makes no difference to the answer."""
    rule = RecurringDate.decode(bits)
    middle = first + timedelta(days=before)
    last = middle + timedelta(days=after)
    found = sorted(rule.between(first, last))
    assert all(first <= day <= last for day in found)
    day_after = middle + timedelta(days=1)
    parts = [*rule.between(first, middle), *rule.between(day_after, last)]
    assert sorted(parts) == found


def _fill(length: int, parts: dict[int, str]) -> bytes:
    data = bytearray(length)
    for offset, text in parts.items():
        part = bytes.fromhex(text)
        data[offset : offset + len(part)] = part
    return bytes(data)


def test_schedule_for_each_weekday() -> None:
    """BT50.1 bit 1: from Sunday to Saturday, then the special ones; 856 bytes."""
    data = _fill(
        856, {75: "63C881", 744: "06 01 02 03 04 05 00 07 08", 852: "052F0100"}
    )
    calendar = decode_calendar(data, _WEEK, _ID)
    assert calendar.id == _ID
    assert calendar.seasons[0] == Season((6, 1, 2, 3, 4, 5, 0), (7, 8))
    assert len(calendar.seasons) == 12
    assert decode_calendar_id(bytes.fromhex("052F0100")) == _ID


def _tiers(calendar: TariffCalendar, number: int) -> list[tuple[timedelta, int]]:
    return [(switch.at, switch.tier) for switch in calendar.schedules[number]]


def test_unused_entries() -> None:
    """A schedule ends at what is no time, or not later; the first is at midnight."""
    parts = {
        75: "63C881",
        144: "0000 00 0330 00 FFFF FF",  # 00:00, 06:00, then no time
        174: "FFFF FF",
        204: "0130 02",  # 06:00 cannot be the first
        234: "0100 03 0018 03 0210 03",  # 00:00, 03:00, then 02:00
    }
    calendar = decode_calendar(_fill(808, parts), _NEW, 0)
    assert len(calendar.schedules) == 20
    assert _tiers(calendar, 0) == [(timedelta(), 0), (timedelta(hours=6), 3)]
    assert calendar.schedules[1] == calendar.schedules[2] == ()
    assert _tiers(calendar, 3) == [(timedelta(), 1), (timedelta(hours=3), 0)]
    assert calendar.schedules[4] == (TierSwitch(timedelta(), 0),)


def test_old_format() -> None:
    """Four seasons; where there is room for more, the active id says where it is."""
    dates = "63C801 6AC802 040F04"
    old = {0: dates, 69: "0000 00 0130 00", 669: "00 00 00 00 00", 689: "052F0100"}
    expected = decode_calendar(_fill(693, old), _OLD, 0)
    assert [each.season for each in expected.dates] == [None, None, 1]
    assert len(expected.seasons) == 4
    # The same bytes at the beginning of a longer table.
    assert decode_calendar(_fill(808, old), _NEW, _ID) == expected
    kept = {75: dates, 144: "0000 00 0130 00", 804: "052F0100"}
    calendar = decode_calendar(_fill(808, kept), _NEW, _ID)
    assert calendar.dates == expected.dates
    assert calendar.schedules == expected.schedules
    # Dates of one year do not exist in this format, whatever is in their place.
    assert decode_calendar(_fill(808, kept | {0: "1A1A 13"}), _NEW, _ID) == calendar
    for both in (old | {804: "052F0100"}, {75: dates}):
        with pytest.raises(DecodeError, match="old format"):
            decode_calendar(_fill(808, both), _NEW, _ID)


@pytest.mark.parametrize(
    ("date_bytes", "match"),
    [
        ("1F00 93", "after days"),  # month 15 with special schedule 0
        ("040F 8E", None),  # season 11, of 12
        ("1F00 C0", None),  # month 15, but only a self-read
    ],
)
def test_dates_that_matter(date_bytes: str, match: str | None) -> None:
    """A date nobody can place rules the calendar out only if it changes the tariff."""
    data = _fill(808, {75: date_bytes})
    if match is None:
        assert decode_calendar(data, _NEW, 0).dates
    else:
        with pytest.raises(DecodeError, match=match):
            decode_calendar(data, _NEW, 0)


def test_season_that_the_calendar_has_not() -> None:
    """A date that begins a season without schedules rules the calendar out."""
    with pytest.raises(DecodeError, match="no schedules"):
        decode_calendar(_fill(693, {0: "040F 08"}), _OLD, 0)
