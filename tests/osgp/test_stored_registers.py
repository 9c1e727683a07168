"""Decoders of stored registers and of the calendar, by hand and with any bytes."""

from datetime import date, datetime

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.tables.calendar import (
    CalendarDimensions,
    decode_calendar_dimensions,
    decode_has_self_reads,
)
from osgp.tables.fields import TableData
from osgp.tables.stored_registers import decode_stored_head, head_span

_NEW = CalendarDimensions(25, 23, 200, 12, 2, has_week=False)
_WEEK = CalendarDimensions(25, 23, 200, 12, 2, has_week=True)
_OLD = CalendarDimensions(0, 23, 200, 4, 2, has_week=False)


def _head(text: str, lead: int) -> object:
    span = head_span(lead)
    return decode_stored_head(TableData("BT26", bytes.fromhex(text), span.offset), lead)


def test_head() -> None:
    """Time and season, after a billing number where the table has one."""
    head = _head("1A02010000 00", 0)
    assert head is not None
    assert (head.time, head.season, head.billing_number) == (  # type: ignore[attr-defined]
        datetime(2026, 2, 1),  # noqa: DTZ001
        0,
        None,
    )
    head = _head("0201 190C1F173B 03", 2)
    assert head is not None
    assert (head.time, head.season, head.billing_number) == (  # type: ignore[attr-defined]
        datetime(2025, 12, 31, 23, 59),  # noqa: DTZ001
        3,
        0x0102,
    )
    assert _head("000000000000", 0) is None
    assert _head("01 00 000000000000", 2) is None
    with pytest.raises(DecodeError):
        _head("1A02010000", 0)


@pytest.mark.parametrize(
    ("data", "dimensions"),
    [
        ("03 18 2C 19 17 C800 2803", _NEW),
        ("03 1A 2C 19 17 C800 5803", _WEEK),
        ("03 18 24 00 17 C800 B502", _OLD),
    ],
)
def test_calendar_dimensions(data: str, dimensions: CalendarDimensions) -> None:
    """808 bytes, 856 with a schedule for each weekday, 693 before 3.50."""
    assert decode_calendar_dimensions(bytes.fromhex(data)) == dimensions
    assert dimensions.dates_length == 3 * (dimensions.dates + 23)


def test_calendar_does_not_add_up() -> None:
    """A calendar whose length is another one is not decoded."""
    with pytest.raises(DecodeError, match="808"):
        decode_calendar_dimensions(bytes.fromhex("03 18 2C 19 17 C800 2903"))


def _calendar(dimensions: CalendarDimensions, *dates: tuple[int, str]) -> bytes:
    data = bytearray(dimensions.dates_length)
    for offset, text in dates:
        data[offset : offset + 3] = bytes.fromhex(text)
    return bytes(data)


@pytest.mark.parametrize(
    ("dates", "expected"),
    [
        ([(75, "63C881")], False),
        # Month 13, any weekday, day 1: on the first of every month.
        ([(75, "63C881"), (78, "0D0F40")], True),
        ([(75, "0D0FC0")], True),
        # No month, so the date is not in use.
        ([(75, "63C881"), (78, "000F40")], False),
        # 2026-02-01: year 26, month 2, day 1.
        ([(0, "1A0940"), (75, "63C881")], True),
        ([(0, "1A0840"), (75, "63C881")], False),
    ],
)
def test_self_read_dates(dates: list[tuple[int, str]], expected: bool) -> None:
    """Bit 6 of a date that is in use."""
    assert decode_has_self_reads(_calendar(_NEW, *dates), _NEW) is expected


def test_calendar_formats() -> None:
    """Old firmware has no dates of one year; newer firmware says which format it is."""
    assert decode_has_self_reads(_calendar(_OLD, (3, "0D0F40")), _OLD)
    with pytest.raises(DecodeError, match="old format"):
        decode_has_self_reads(_calendar(_NEW, (75, "63C801")), _NEW)


@given(st.binary(max_size=16), st.sampled_from([0, 2, 5]))
def test_any_head(data: bytes, lead: int) -> None:
    """Any bytes have a valid time, none, or are too few."""
    span = head_span(lead)
    table = TableData("BT26", data, span.offset)
    if len(data) < span.length:
        if len(data) < span.length - 1:
            with pytest.raises(DecodeError):
                table.raw(span.offset, span.length)
        return
    head = decode_stored_head(table, lead)
    place = span.length - 6
    has_date = 1 <= data[place + 1] <= 12 and data[place + 2] >= 1
    if head is not None:
        assert has_date
        assert head.season == data[span.length - 1]
        assert (head.time.month, head.time.day) == tuple(data[place + 1 : place + 3])


def _is_date(bits: int) -> bool:
    try:
        date(2000 + (bits & 0x7F), bits >> 7 & 0xF, bits >> 11)
    except ValueError:
        return False
    return True


@given(st.binary(min_size=9, max_size=9), st.binary(max_size=900))
def test_any_calendar(dimensions: bytes, dates: bytes) -> None:
    """Any bytes are a calendar with or without self-reads, or none."""
    try:
        size = decode_calendar_dimensions(dimensions)
    except DecodeError:
        size = _NEW
    try:
        found = decode_has_self_reads(dates, size)
    except DecodeError:
        return
    in_use = [
        dates[place + 2] & 0x40
        for place in range(0, size.dates_length, 3)
        if (
            dates[place] & 0xF
            if place >= 3 * size.dates
            else _is_date(int.from_bytes(dates[place : place + 2], "little"))
        )
    ]
    assert found == any(in_use)
