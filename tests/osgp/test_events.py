"""The event logs BT74 and ET79, and what all logs share."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.tables.event_kinds import event_meaning
from osgp.tables.events import (
    EventLogDimensions,
    MeterEvent,
    decode_event_log_dimensions,
    decode_events,
    entries_after,
    merge_events,
)
from osgp.tables.layout import Span
from osgp.tables.logs import (
    LogHeader,
    LogKind,
    decode_log_dimensions,
    decode_log_header,
    entry_indices,
    entry_spans,
    log_dimensions_length,
)

_DIMENSIONS = EventLogDimensions(argument_length=2, entries=7)
_FIRMWARE = (3, 70, 24)
_BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def _time(moment: datetime) -> bytes:
    return bytes([moment.year - 2000, *moment.timetuple()[1:6]])


def _log(numbers: list[int], last_index: int) -> bytes:
    """Return BT74 with entries of these sequence numbers, newest last."""
    length = _DIMENSIONS.entry_length
    entries = bytearray(b"\xee" * length * _DIMENSIONS.entries)
    for age, number in enumerate(reversed(numbers)):
        index = (last_index - age) % _DIMENSIONS.entries
        entries[index * length : (index + 1) * length] = (
            _time(_BEGIN + timedelta(seconds=number % 100_000))
            + (number & 0xFFFF).to_bytes(2, "little")
            + b"\xfd\xff"
            + (0xF000 | number % 100).to_bytes(2, "little")
            + bytes([number & 0xFF, 7])
        )
    header = (
        b"\x04"
        + len(numbers).to_bytes(2, "little")
        + last_index.to_bytes(2, "little")
        + (numbers[-1] if numbers else 0).to_bytes(4, "little")
        + bytes(2)
    )
    return header + bytes(entries)


def _read(log: bytes, spans: tuple[Span, ...]) -> bytes:
    return b"".join(log[span.offset : span.offset + span.length] for span in spans)


def _events(log: bytes, count: int | None = None) -> tuple[MeterEvent, ...]:
    header = decode_log_header("BT74", LogKind.EVENTS, log[:11])
    spans = entry_spans(
        header, _DIMENSIONS.entry_length, _DIMENSIONS.entries, count=count
    )
    assert len(spans) <= 2
    return decode_events(header, _read(log, spans), _DIMENSIONS, _FIRMWARE)


def test_dimensions() -> None:
    """BT71: the manufacturer's defaults of the optical port guide."""
    data = bytes.fromhex("06 08 13 02 02 6400 0000")
    dimensions = decode_event_log_dimensions(data)
    assert dimensions == EventLogDimensions(argument_length=2, entries=100)
    assert dimensions.entry_length == 14
    with pytest.raises(DecodeError):
        decode_event_log_dimensions(data[:6])


def test_headers() -> None:
    """The three forms of header: fields, lengths."""
    data = bytes.fromhex("06 0500 0400 78563412 0300")
    assert decode_log_header("BT74", LogKind.EVENTS, data) == LogHeader(
        name="BT74",
        kind=LogKind.EVENTS,
        valid_entries=5,
        last_index=4,
        last_sequence_number=0x12345678,
    )
    small = decode_log_header("ET81", LogKind.SMALL, bytes.fromhex("04 05 04 3412 03"))
    assert (small.valid_entries, small.last_index) == (5, 4)
    assert small.last_sequence_number == 0x1234
    assert [kind.header_length for kind in LogKind] == [6, 9, 11]
    with pytest.raises(DecodeError, match="BT74"):
        decode_log_header("BT74", LogKind.EVENTS, data[:8])


@pytest.mark.parametrize("last_index", range(7))
@pytest.mark.parametrize("count", range(8))
def test_circular_order(last_index: int, count: int) -> None:
    """Entries come newest last, wherever the newest one is."""
    numbers = [65_533 + 3 * number for number in range(7)]
    log = _log(numbers, last_index)
    events = _events(log, count)
    assert [event.sequence_number for event in events] == numbers[7 - count :]
    for event in events:
        number = event.sequence_number
        argument = bytes([number & 0xFF, 7])
        name, details = event_meaning(number % 100, argument, _FIRMWARE)
        assert event == MeterEvent(
            sequence_number=number,
            time=_BEGIN + timedelta(seconds=number),
            event_id=number % 100,
            user="mep",
            argument=argument,
            log="BT74",
            name=name,
            details=details,
        )


@pytest.mark.parametrize("last_index", range(7))
@pytest.mark.parametrize("valid", range(7))
def test_log_that_is_not_full(last_index: int, valid: int) -> None:
    """Only valid entries are read."""
    numbers = list(range(1, valid + 1))
    events = _events(_log(numbers, last_index))
    assert [event.sequence_number for event in events] == numbers


def test_gaps_of_sequence_numbers() -> None:
    """Both logs share their numbers, so a log has gaps, also over 16 bits."""
    numbers = [3, 60_000, 70_000, 135_000, 200_000]
    events = _events(_log(numbers, 2))
    assert [event.sequence_number for event in events] == numbers


def test_entry_that_is_newer_than_the_header() -> None:
    """The log was overwritten while it was read."""
    header = decode_log_header("BT74", LogKind.EVENTS, _log([5], 0)[:11])
    with pytest.raises(DecodeError, match="newer than the header"):
        decode_events(header, _log([9], 0)[11:25], _DIMENSIONS, _FIRMWARE)


@pytest.mark.parametrize(
    ("user", "name"),
    [(0xFFFF, "none"), (0xFFFE, "power_line"), (0xFFFD, "mep"), (3, "3")],
)
def test_users(user: int, name: str) -> None:
    """The users that the guide names, and those of the optical port."""
    entry = bytearray(_log([1], 0)[11:25])
    entry[8:10] = user.to_bytes(2, "little")
    header = decode_log_header("ET79", LogKind.EVENTS, _log([1], 0)[:11])
    (event,) = decode_events(header, bytes(entry), _DIMENSIONS, _FIRMWARE)
    assert (event.user, event.log) == (name, "ET79")


def test_event_without_time() -> None:
    """A meter without a clock still logs events."""
    entry = bytes(6) + _log([1], 0)[17:25]
    header = decode_log_header("BT74", LogKind.EVENTS, _log([1], 0)[:11])
    assert decode_events(header, entry, _DIMENSIONS, _FIRMWARE)[0].time is None


def test_part_of_an_entry() -> None:
    """Bytes that are no whole entries are refused."""
    header = decode_log_header("BT74", LogKind.EVENTS, _log([1], 0)[:11])
    with pytest.raises(DecodeError, match="whole entries"):
        decode_events(header, bytes(15), _DIMENSIONS, _FIRMWARE)


def test_entries_after() -> None:
    """No more entries are read than can be new."""
    header = decode_log_header("BT74", LogKind.EVENTS, _log([7, 8, 9, 12], 3)[:11])
    assert [entries_after(header, after) for after in (0, 8, 9, 11, 12, 99)] == [
        4,
        4,
        3,
        1,
        0,
        0,
    ]


@pytest.mark.parametrize(("valid", "last_index"), [(8, 0), (1, 7), (7, 9)])
def test_header_that_does_not_fit(valid: int, last_index: int) -> None:
    """A header beyond the size of the log is an error, not a wrong place."""
    data = bytes([4, valid, 0, last_index, 0, 9, 0, 0, 0, 0, 0])
    header = decode_log_header("BT74", LogKind.EVENTS, data)
    with pytest.raises(DecodeError, match="in a log of 7"):
        entry_indices(header, 7)
    assert not entry_indices(
        decode_log_header("BT74", LogKind.EVENTS, bytes([4, 0, 0, 9]) + bytes(7)), 0
    )


def _event(number: int, log: str = "BT74", **what: Any) -> MeterEvent:
    """Return an event of a log."""
    event = MeterEvent(
        sequence_number=number,
        time=None,
        event_id=1,
        user="none",
        argument=b"",
        log=log,
        name="power_down",
        details={},
    )
    return replace(event, **what)


def test_merged_logs() -> None:
    """The example of the guide: 1..10 and 16..20 in one log, 11..15 in the other."""
    logs = [
        [_event(number) for number in (*range(1, 11), *range(16, 21))],
        [_event(number, "ET79") for number in range(11, 16)],
    ]
    merged = merge_events(logs)
    assert [event.sequence_number for event in merged] == list(range(1, 21))
    assert {event.log for event in merged[10:15]} == {"ET79"}
    newest = merge_events(logs, after=12, count=6)
    assert [event.sequence_number for event in newest] == list(range(15, 21))
    assert merge_events(logs, after=20) == ()
    assert merge_events(logs, count=0) == ()


def test_event_in_both_logs() -> None:
    """It is one event if all of it is the same; in one log, it happened twice."""
    at = {"time": _BEGIN}
    logs = [
        [_event(1, **at), _event(2, **at), _event(5, **at, event_id=2), _event(9)],
        [_event(3, "ET79", **at), _event(5, "ET79", **at, event_id=2)],
        [_event(6, "ET79", **at, argument=b"1"), _event(7, "ET79", **at, user="mep")],
        [_event(8, "ET79", time=_BEGIN + timedelta(seconds=1)), _event(10, "ET79")],
    ]
    merged = [(event.sequence_number, event.log) for event in merge_events(logs)]
    assert merged == [
        (1, "BT74"),
        (3, "ET79"),
        (5, "BT74"),
        (6, "ET79"),
        (7, "ET79"),
        (8, "ET79"),
        (9, "BT74"),
        (10, "ET79"),
    ]
    newest = merge_events(logs, after=2, count=6)
    assert [event.sequence_number for event in newest] == [5, 6, 7, 8, 9, 10]


def test_log_dimensions() -> None:
    """ET36: seven logs of 17 bytes, entry sizes of the guide."""
    tables = {31: 232, 32: 525, 38: 35, 41: 60, 45: 525, 75: 143, 81: 12}
    data = bytearray([len(tables)])
    for number, length in tables.items():
        for field in (number | 0x800, length, 253, number - 30):
            data += field.to_bytes(2, "little")
        data += bytes(9)
    assert len(data) == log_dimensions_length(data[0]) == 120
    logs = decode_log_dimensions(bytes(data))
    assert list(logs) == ["ET31", "ET32", "ET38", "ET41", "ET45", "ET75", "ET81"]
    assert logs["ET45"].entry_length == 525
    assert int.from_bytes(data[71:73], "little") == logs["ET45"].entry_length
    assert int.from_bytes(data[75:77], "little") == logs["ET45"].entries == 15
    assert int.from_bytes(data[105:107], "little") == logs["ET81"].entry_length
    assert int.from_bytes(data[109:111], "little") == logs["ET81"].entries
    with pytest.raises(DecodeError):
        decode_log_dimensions(bytes(data[: -9 - 1]))


@given(st.binary(max_size=80), st.integers(0, 40))
def test_arbitrary_bytes(data: bytes, argument_length: int) -> None:
    """Any bytes are decoded or are a DecodeError."""
    dimensions = EventLogDimensions(argument_length=argument_length, entries=5)
    try:
        header = decode_log_header("BT74", LogKind.EVENTS, data)
        events = decode_events(header, data[11:], dimensions, _FIRMWARE)
    except DecodeError:
        return
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(numbers)


@given(st.binary(max_size=140))
def test_arbitrary_log_dimensions(data: bytes) -> None:
    """Any bytes are decoded or are a DecodeError."""
    try:
        logs = decode_log_dimensions(data)
    except DecodeError:
        return
    assert len(logs) <= data[0]
