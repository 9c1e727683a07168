"""M-Bus meters behind the meter: ET11, ET14, ET16 and ET45."""

import asyncio
from collections.abc import Mapping
import contextlib
from datetime import UTC, datetime

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError, MBusDevice, MeterError, RefusalError, ResponseCode
from osgp.mbus.reading import ExtendedLog, read_mbus_devices
from osgp.mbus.tables import (
    DeviceDimensions,
    MBusStatus,
    RecurringRead,
    decode_device_dimensions,
    decode_mbus_reading,
    decode_mbus_status,
    decode_recurring_read,
    mbus_device,
)
from osgp.tables.logs import LogKind, decode_log_header, entry_spans
from osgp.tables.names import parse_table, table_name

from .telegrams import FIXED, VARIABLE, user_data

_READ_AT = datetime(2026, 5, 1, 10, 20, 30, tzinfo=UTC).replace(tzinfo=None)
_TIME = bytes([26, 5, 1, 10, 20, 30])
_DIMENSIONS = DeviceDimensions(
    devices=5,
    configuration_length=66,
    status_length=36,
    reading_length=517,
    data_types=3,
)


def _reading(*telegrams: bytes, info: int = 0) -> bytes:
    return (
        _TIME
        + bytes([info])
        + b"".join(bytes([len(telegram)]) + telegram for telegram in telegrams)
    )


def _status() -> MBusStatus:
    return MBusStatus(slot=2, handle=7, up=True, reading_length=47)


def test_device_dimensions() -> None:
    """ET11: the start as the guide prints it, the rest as usual."""
    data = bytearray(27)
    data[:9] = bytes.fromhex("05 42 24 05 06 0502 0103")
    data[25] = 16
    dimensions = decode_device_dimensions(bytes(data))
    assert dimensions == DeviceDimensions(
        devices=5,
        configuration_length=66,
        status_length=36,
        reading_length=517,
        data_types=16,
    )
    assert dimensions.mbus_status_length == 150
    assert [dimensions.reading_offset(slot) for slot in (1, 2)] == [0, 517]
    with pytest.raises(DecodeError, match="ET11"):
        decode_device_dimensions(bytes(data[:25]))


def test_status_of_the_guide() -> None:
    """ET14: slots 1 and 5 are taken; slot 1 is M-Bus, up, with 47 bytes read."""
    data = bytes.fromhex("00 00000000 11 0100 01 04 2F00").ljust(150, b"\0")
    (status,) = decode_mbus_status(data, _DIMENSIONS)
    assert (status.slot, status.handle, status.up) == (1, 1, True)
    assert status.reading_length == 47


def test_status_fields() -> None:
    """ET14: fields at the guide's offsets of entry 1."""
    data = bytearray(150)
    data[5] = 0b0010
    entry = 6 + 36
    data[entry : entry + 2] = (999).to_bytes(2, "little")
    data[entry + 2] = 2
    data[entry + 4 : entry + 6] = bytes.fromhex("0502")
    (status,) = decode_mbus_status(bytes(data), _DIMENSIONS)
    assert status == MBusStatus(slot=2, handle=999, up=False, reading_length=517)


def test_impossible_status() -> None:
    """Short data and short entries are refused; empty slots need no bytes."""
    assert decode_mbus_status(bytes(6), _DIMENSIONS) == ()
    with pytest.raises(DecodeError, match="ET14"):
        decode_mbus_status(bytes([0, 0, 0, 0, 0, 1]) + bytes(35), _DIMENSIONS)
    short = DeviceDimensions(
        devices=5,
        configuration_length=66,
        status_length=5,
        reading_length=517,
        data_types=0,
    )
    with pytest.raises(DecodeError, match="ET14 at 10"):
        decode_mbus_status(bytes([0, 0, 0, 0, 0, 1]) + bytes(80), short)


def test_reading() -> None:
    """ET16: the telegram ends with a zero, which its length includes."""
    data = _reading(user_data(VARIABLE) + b"\0")
    reading = decode_mbus_reading("ET16", data)
    assert (reading.read_at, reading.failed) == (_READ_AT, False)
    device = mbus_device(_status(), reading)
    assert (device.slot, device.handle, device.up) == (2, 7, True)
    assert (device.serial_number, device.manufacturer) == ("12345678", "PAD")
    assert (device.medium, device.version) == ("water", 1)
    assert device.read_at == _READ_AT
    assert [record.quantity for record in device.records] == [
        "volume",
        "flow",
        "energy",
    ]
    assert device.unknown_records == ()
    assert not device.encrypted
    assert not device.failed
    assert not device.power_low
    assert not device.permanent_error
    assert not device.temporary_error


def test_fixed_reading() -> None:
    """ET16: bit 1 says that the data structure is fixed."""
    reading = decode_mbus_reading("ET16", _reading(user_data(FIXED), info=2))
    device = mbus_device(_status(), reading)
    assert (device.serial_number, device.medium) == ("12345678", "water")
    assert [record.value for record in device.records] == [0.001, 0.135]


def test_reading_of_mode_2() -> None:
    """ET16: bit 0 says that numbers have their most significant byte first."""
    fixed = bytes.fromhex("12345678 0A 00 E9 7E 00000001 00000135")
    device = mbus_device(
        _status(), decode_mbus_reading("ET16", _reading(fixed, info=3))
    )
    assert device.serial_number == "12345678"
    assert [record.value for record in device.records] == [0.001, 0.135]


def test_several_telegrams() -> None:
    """ET16: the records of all telegrams are those of the device."""
    telegram = user_data(VARIABLE) + b"\0"
    device = mbus_device(
        _status(), decode_mbus_reading("ET16", _reading(telegram, telegram) + b"\0")
    )
    assert len(device.records) == 6


@pytest.mark.parametrize("missing", range(1, 29))
def test_cut_telegram(missing: int) -> None:
    """ET16: the last telegram may be cut; its whole records still count."""
    telegram = user_data(VARIABLE)
    data = _reading(telegram, telegram)[:-missing]
    device = mbus_device(_status(), decode_mbus_reading("ET16", data))
    left = len(telegram) - 12 - missing
    assert len(device.records) == 3 + (left >= 5) + (left >= 10)
    assert len(device.unknown_records) == (left > 0 and left not in {5, 10})
    assert device.serial_number == "12345678"


def test_cut_first_telegram() -> None:
    """ET16: without a whole header it is not known whose reading it is."""
    with pytest.raises(DecodeError, match="M-Bus telegram"):
        decode_mbus_reading("ET16", _reading(user_data(VARIABLE))[:15])


def test_cut_fixed_telegram() -> None:
    """ET16: a fixed data structure counts whole; the one before it stays."""
    telegram = user_data(FIXED)
    for missing in range(1, 16):
        data = _reading(telegram, telegram, info=2)[:-missing]
        device = mbus_device(_status(), decode_mbus_reading("ET16", data))
        assert [record.value for record in device.records] == [0.001, 0.135]


def test_telegram_without_header() -> None:
    """ET16: one that does not say whose it is costs only itself."""
    telegram = user_data(VARIABLE)
    for position in range(3):
        telegrams = [telegram, telegram]
        telegrams.insert(position, b"\x01\x02\x03")
        reading = decode_mbus_reading("ET16", _reading(*telegrams))
        device = mbus_device(_status(), reading)
        assert len(device.records) == 6
        assert device.serial_number == "12345678"


def test_encrypted_reading() -> None:
    """ET16: bit 2 says that the meter decrypted the telegram."""
    telegram = bytearray(user_data(VARIABLE))
    telegram[10:12] = b"\x10\x05"
    for info, encrypted, records in ((0, True, 0), (4, False, 3)):
        reading = decode_mbus_reading("ET16", _reading(bytes(telegram), info=info))
        device = mbus_device(_status(), reading)
        assert device.encrypted is encrypted
        assert len(device.records) == records


def test_reading_that_failed() -> None:
    """ET16: what was not authenticated becomes no record."""
    reading = decode_mbus_reading("ET16", _reading(user_data(VARIABLE), info=0x28))
    device = mbus_device(_status(), reading)
    assert device.failed
    assert (device.records, device.unknown_records) == ((), ())
    assert device.serial_number == "12345678"


def test_no_reading() -> None:
    """A device that has not been read yet has a place, but no identity."""
    for reading in (None, decode_mbus_reading("ET16", bytes(8))):
        device = mbus_device(_status(), reading)
        assert (device.serial_number, device.medium) == ("", "unknown")
        assert device.read_at is None
        assert device.records == ()
    with pytest.raises(DecodeError, match="ET16"):
        decode_mbus_reading("ET16", bytes(6))


@pytest.mark.parametrize("last_index", range(3))
def test_recurring_reads(last_index: int) -> None:
    """ET45: entries newest last, each with the handle of its device."""
    length = 80
    reading = _reading(user_data(VARIABLE) + b"\0")
    entries = [b""] * 3
    for age, handle in enumerate((9, 8, 7)):
        body = bytes(2) + bytes([handle, 1, 0, 4 + (age == 2)]) + reading
        entry = len(body).to_bytes(2, "little") + body
        entries[(last_index - age) % 3] = entry.ljust(length, b"\xee")
    table = bytes([4, 3, last_index, 9, 0, 0]) + b"".join(entries)
    header = decode_log_header("ET45", LogKind.SMALL, table)
    found = []
    for span in entry_spans(header, length, 3):
        for start in range(span.offset, span.offset + span.length, length):
            read = decode_recurring_read("ET45", table[start : start + 8], start)
            found.append(read)
            begin = start + 8
            assert read.reading_length == len(reading)
            decoded = decode_mbus_reading(
                "ET45", table[begin : begin + read.reading_length]
            )
            assert decoded == decode_mbus_reading("ET16", reading)
    assert found == [
        RecurringRead(
            handle=0x100 + handle,
            successful=handle != 7,
            reading_length=len(reading),
        )
        for handle in (7, 8, 9)
    ]


def test_short_recurring_read() -> None:
    """ET45: an empty entry has no reading."""
    assert decode_recurring_read("ET45", bytes(8)).reading_length == 0
    with pytest.raises(DecodeError, match="ET45"):
        decode_recurring_read("ET45", bytes(7))


_DIMENSIONS_OF_ANY_KIND = st.builds(
    DeviceDimensions,
    devices=st.integers(0, 255),
    configuration_length=st.integers(0, 255),
    status_length=st.integers(0, 255),
    reading_length=st.integers(0, 65535),
    data_types=st.integers(0, 255),
)


@given(st.binary(max_size=160), _DIMENSIONS_OF_ANY_KIND, st.integers(0, 70_000))
def test_arbitrary_tables(data: bytes, dimensions: DeviceDimensions, at: int) -> None:
    """Any bytes are decoded or are a DecodeError, whatever the dimensions."""
    with contextlib.suppress(DecodeError):
        decode_device_dimensions(data)
    with contextlib.suppress(DecodeError):
        slots = decode_mbus_status(data, dimensions)
        assert len(slots) <= min(4, dimensions.devices)
    with contextlib.suppress(DecodeError):
        assert decode_recurring_read("ET45", data, at).reading_length >= 0


_TELEGRAMS = st.lists(
    st.builds(
        lambda header, records, cut: (
            bytes([len(header + records)]) + (header + records)[:cut]
        ),
        st.sampled_from(
            [
                user_data(VARIABLE)[:12],
                user_data(FIXED),
                bytes.fromhex("44332211B40534049E0027B6"),
                b"",
            ]
        ),
        st.binary(max_size=60),
        st.integers(0, 100),
    ),
    max_size=4,
).map(b"".join)


@given(
    st.one_of(
        st.binary(max_size=160),
        st.builds(
            lambda info, telegrams: _TIME + bytes([info]) + telegrams,
            st.integers(0, 255),
            _TELEGRAMS,
        ),
    )
)
def test_arbitrary_readings(data: bytes) -> None:
    """Any bytes are decoded or are a DecodeError."""
    try:
        reading = decode_mbus_reading("ET16", data)
    except DecodeError:
        return
    device = mbus_device(_status(), reading)
    assert device.read_at == reading.read_at
    assert not (device.failed and device.records)


class _Tables:
    """A link to tables of given bytes; a code in place of bytes is a refusal."""

    def __init__(self, tables: Mapping[str, bytes | ResponseCode]) -> None:
        self._tables = {parse_table(name): data for name, data in tables.items()}
        self.asked: list[str] = []

    async def read(self, table: int, offset: int, count: int) -> bytes:
        self.asked.append(table_name(table))
        data = self._tables.get(table, ResponseCode.TABLE_NOT_POSSIBLE)
        if isinstance(data, ResponseCode):
            raise RefusalError(data, "a table", "refused")
        return data[offset : offset + count]


def _devices(
    extended: ExtendedLog | None = None,
    dimensions: DeviceDimensions = _DIMENSIONS,
    **tables: bytes | ResponseCode,
) -> tuple[MBusDevice, ...]:
    """Read the M-Bus meters of a meter with some tables."""
    link = _Tables(tables)
    return asyncio.run(read_mbus_devices(link, dimensions, extended))


_GOOD = _reading(user_data(VARIABLE) + b"\0")
_BAD = _reading(user_data(VARIABLE)[:8])


def _two_slots(*readings: bytes) -> dict[str, bytes]:
    """Return ET14 and ET16 with slots 1 and 2, handles 1 and 2."""
    status, entries = bytearray(150), bytearray(2 * 517)
    status[5] = 0b11
    for index, reading in enumerate(readings):
        place = 6 + 36 * index
        status[place] = index + 1
        status[place + 2] = 1
        status[place + 4 : place + 6] = len(reading).to_bytes(2, "little")
        entries[517 * index : 517 * index + len(reading)] = reading
    return {"ET14": bytes(status), "ET16": bytes(entries)}


def _log(*readings: bytes) -> dict[str, bytes]:
    """Return ET36 and ET45 with readings of handle 1, newest last."""
    count, length = len(readings), 100
    record = (2048 + 45, length, 253, count)
    entries = [
        (len(reading) + 6).to_bytes(2, "little") + bytes([0, 0, 1, 0, 0, 4]) + reading
        for reading in readings
    ]
    return {
        "ET36": b"\x01"
        + b"".join(number.to_bytes(2, "little") for number in record)
        + bytes(9),
        "ET45": bytes([0, count, count - 1, 9, 0, 0])
        + b"".join(entry.ljust(length, b"\0") for entry in entries),
    }


def test_reading_that_cannot_be_decoded() -> None:
    """ET16: it costs only itself."""
    first, second = _devices(**_two_slots(_BAD, _GOOD))
    assert (first.serial_number, first.records) == ("", ())
    assert (second.serial_number, len(second.records)) == ("12345678", 3)


def test_scheduled_reading_that_cannot_be_decoded() -> None:
    """ET45: the one before it is the newest."""
    older = bytes([26, 5, 2]) + _GOOD[3:]
    newer = bytes([26, 5, 3]) + _BAD[3:]
    first, second = _devices(**_two_slots(_GOOD, _GOOD), **_log(older, newer))
    assert first.read_at == datetime(2026, 5, 2, 10, 20, 30)  # noqa: DTZ001
    assert second.read_at == _READ_AT


@pytest.mark.parametrize("table", ["ET36", "ET45"])
def test_log_that_is_refused(table: str) -> None:
    """What ET16 holds may be years old: it is not shown while the log is refused."""
    tables = _two_slots(_GOOD, _GOOD) | _log(_GOOD)
    for code in (ResponseCode.NOT_POSSIBLE, ResponseCode.AUTHENTICATION_FAILURE):
        for device in _devices(**{**tables, table: code}):
            assert (device.handle > 0, device.records) == (True, ())
    for code in (ResponseCode.TABLE_NOT_POSSIBLE, ResponseCode.NO_PERMISSION):
        for device in _devices(**{**tables, table: code}):
            assert len(device.records) == 3


@given(
    st.fixed_dictionaries(
        {
            "ET14": st.binary(min_size=6, max_size=160),
            "ET16": st.binary(max_size=200),
            "ET36": st.just(_log(_GOOD)["ET36"]) | st.binary(min_size=1, max_size=40),
            "ET45": st.binary(max_size=300),
        }
    ),
    _DIMENSIONS_OF_ANY_KIND,
)
def test_hostile_tables(tables: dict[str, bytes], dimensions: DeviceDimensions) -> None:
    """Whatever they hold, the devices are read or it is the client's own error."""
    with contextlib.suppress(MeterError):
        assert len(_devices(dimensions=dimensions, **tables)) <= 4


def _extended(*readings: bytes, unmoved: int) -> dict[str, bytes]:
    """Return ET54 and ET74 with readings of handle 1, newest last, in four entries."""
    count, length = len(readings), 100
    entries = [
        (len(reading) + 6).to_bytes(2, "little") + bytes([0, 0, 1, 0, 0, 4]) + reading
        for reading in readings
    ]
    numbers = (count, count - 1, 77, unmoved)
    header = b"\x04" + b"".join(number.to_bytes(2, "little") for number in numbers)
    body = b"".join(entry.ljust(length, b"\0") for entry in entries)
    return {
        "ET54": bytes(69) + b"\x04\x00" + bytes(10),
        "ET74": header + body.ljust(4 * length, b"\0"),
    }


def _of_may(day: int) -> bytes:
    return bytes([26, 5, day]) + _GOOD[3:]


@pytest.mark.parametrize(("unmoved", "day"), [(0, 2), (1, 4), (2, 4), (3, 4)])
def test_extended_log(unmoved: int, day: int) -> None:
    """ET74: what is not in ET45 yet is the newest; nothing is where all has moved."""
    waiting = [_of_may(n) for n in (2, 3, 4)]
    first, second = _devices(
        ExtendedLog((3, 60, 0)),
        **_two_slots(_GOOD, _GOOD),
        **_log(_of_may(1), _of_may(2)),
        **_extended(*waiting, unmoved=unmoved),
    )
    assert first.read_at is not None
    assert first.read_at.day == day
    assert second.read_at == _READ_AT


def test_extended_log_that_is_not_used() -> None:
    """Firmware before 3.60 is not asked, and later firmware once."""
    tables = _two_slots(_GOOD) | _log(_of_may(2)) | _extended(_of_may(3), unmoved=1)
    for firmware, has_log, day, asked in (
        ((3, 50, 9), True, 2, []),
        # The header, the entry's own and the reading, each of the three times.
        ((3, 60, 0), True, 3, ["ET54", *["ET74"] * 9]),
        ((3, 60, 0), False, 2, ["ET54"]),
    ):
        link = _Tables(tables | ({} if has_log else {"ET54": bytes(90)}))
        extended = ExtendedLog(firmware)
        for _ in range(3):
            device, _ = asyncio.run(read_mbus_devices(link, _DIMENSIONS, extended))
            assert device.read_at is not None
            assert device.read_at.day == day
        assert [name for name in link.asked if name in {"ET54", "ET74"}] == asked


@pytest.mark.parametrize("table", ["ET54", "ET74"])
def test_extended_log_that_is_refused(table: str) -> None:
    """For good, it is not there; for now, it is not known which reading is the newest."""
    tables = _two_slots(_GOOD) | _log(_of_may(2)) | _extended(_of_may(3), unmoved=1)
    refused = tables | {table: ResponseCode.NOT_POSSIBLE}
    device, _ = _devices(ExtendedLog((4, 10, 3)), **refused)
    assert device.records == ()
    for code in (ResponseCode.TABLE_NOT_POSSIBLE, ResponseCode.NO_PERMISSION):
        device, _ = _devices(ExtendedLog((4, 10, 3)), **{**tables, table: code})
        assert device.read_at is not None
        assert device.read_at.day == 2


@given(
    st.binary(max_size=80),
    st.binary(max_size=300),
    st.integers(min_value=0, max_value=4),
)
def test_hostile_extended_log(status: bytes, log: bytes, unmoved: int) -> None:
    """Whatever it holds, the devices are read or it is the client's own error."""
    tables = _two_slots(_GOOD) | _log(_GOOD)
    sound = _extended(_GOOD, unmoved=unmoved)
    for hostile in (
        {"ET54": status, "ET74": log},
        {"ET54": sound["ET54"], "ET74": log},
        {"ET54": sound["ET54"], "ET74": sound["ET74"][:9] + log},
    ):
        with contextlib.suppress(MeterError):
            assert len(_devices(ExtendedLog((3, 60, 0)), **tables, **hostile)) == 2
