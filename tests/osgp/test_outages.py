"""Power outages: ET81 and the records of ET09."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.tables.logs import LogDimensions, LogKind, decode_log_header
from osgp.tables.outages import (
    Outage,
    decode_outage_log,
    decode_outage_records,
    outage_log_length,
)

_DIMENSIONS = LogDimensions(entry_length=12, maximum_entries=253, entries=5)
_BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC).replace(tzinfo=None)


def _time(moment: datetime) -> bytes:
    return bytes([moment.year - 2000, *moment.timetuple()[1:6]])


def _outage(day: int) -> Outage:
    start = _BEGIN + timedelta(days=day)
    return Outage(
        start=start, end=start + timedelta(seconds=90 + day), duration=90 + day
    )


def _log(outages: list[Outage], newest: int, last_index: int) -> bytes:
    """Return ET81 with the newest outage at one place, and an index of the header."""
    entries = [bytes(12)] * _DIMENSIONS.entries
    for age, outage in enumerate(reversed(outages)):
        entries[newest - age] = _time(outage.start) + _time(outage.end)
    header = bytes([4, len(outages), last_index, 9, 0, 0])
    return header + b"".join(entries)


def _decode(data: bytes, dimensions: LogDimensions = _DIMENSIONS) -> tuple[Outage, ...]:
    header = decode_log_header("ET81", LogKind.SMALL, data)
    return decode_outage_log(data, header, dimensions)


@pytest.mark.parametrize("newest", range(5))
@pytest.mark.parametrize("valid", range(6))
def test_log(newest: int, valid: int) -> None:
    """Newest last, wherever it is, also if the index of the last entry stays 0."""
    outages = [_outage(day) for day in range(valid)]
    for last_index in {newest, 0}:
        data = _log(outages, newest, last_index)
        assert len(data) == outage_log_length(_DIMENSIONS)
        assert list(_decode(data)) == outages


def test_cleared_log() -> None:
    """Entries beyond the valid ones are left over from before."""
    data = bytearray(_log([_outage(day) for day in range(5)], 4, 4))
    data[1] = 2
    assert _decode(bytes(data)) == (_outage(3), _outage(4))
    data[1] = 0
    assert _decode(bytes(data)) == ()


def test_clock_set_back() -> None:
    """Local times over the end of daylight saving time give no duration."""
    end = _BEGIN - timedelta(minutes=50)
    outage = Outage(start=_BEGIN, end=end, duration=None)
    assert _decode(_log([outage], 0, 0)) == (outage,)


def test_longer_entries() -> None:
    """The entry size is that of ET36."""
    dimensions = LogDimensions(entry_length=14, maximum_entries=253, entries=2)
    entries = [
        _time(_outage(day).start) + _time(_outage(day).end) + b"\xaa\xaa"
        for day in (1, 0)
    ]
    data = bytes([4, 2, 0, 9, 0, 0]) + b"".join(entries)
    assert _decode(data, dimensions) == (_outage(0), _outage(1))


def test_impossible_logs() -> None:
    """Too short data and too short entries are refused."""
    data = _log([_outage(1)], 0, 0)
    with pytest.raises(DecodeError, match="ET81"):
        _decode(data[:-1])
    short = LogDimensions(entry_length=6, maximum_entries=1, entries=1)
    with pytest.raises(DecodeError, match="too short"):
        _decode(data, short)
    empty = LogDimensions(entry_length=0, maximum_entries=0, entries=0)
    assert _decode(data, empty) == ()


@pytest.mark.parametrize("start", [0, 6])
def test_outage_records(start: int) -> None:
    """ET09 lists the newest outage first, with power on before power off."""
    on, off = "1a0301 0c0105 08 00", "1a0301 0c0004 3d000000"
    older_on, older_off = "1a0201 000001 03 00", "1a011f 173b3b 01000000"
    records = bytes.fromhex(on + off + older_on + older_off) + bytes(18)
    data = (bytes(6) + records)[start:]
    assert decode_outage_records(data, 3, start) == (
        Outage(
            start=datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC),
            end=datetime(2026, 2, 1, 0, 0, 1, tzinfo=UTC),
            duration=1,
        ),
        Outage(
            start=datetime(2026, 3, 1, 12, 0, 4, tzinfo=UTC),
            end=datetime(2026, 3, 1, 12, 1, 5, tzinfo=UTC),
            duration=61,
        ),
    )
    assert decode_outage_records(data, 0, start) == ()
    with pytest.raises(DecodeError, match="ET09"):
        decode_outage_records(data, 4, start)


@given(st.binary(max_size=80), st.integers(0, 5), st.integers(0, 20))
def test_arbitrary_bytes(data: bytes, entries: int, length: int) -> None:
    """Any bytes are decoded or are a DecodeError."""
    dimensions = LogDimensions(
        entry_length=length, maximum_entries=entries, entries=entries
    )
    for decode in (
        lambda: _decode(data, dimensions),
        lambda: decode_outage_records(data, entries),
    ):
        try:
            outages = decode()
        except DecodeError:
            continue
        assert len(outages) <= entries
