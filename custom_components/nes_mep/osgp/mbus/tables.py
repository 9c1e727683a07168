"""M-Bus meters behind the meter: ET11, ET14, ET16, ET45 and ET74."""

from dataclasses import dataclass, replace
from datetime import datetime

from ..errors import DecodeError
from ..tables.fields import TableData, optional_date_time
from .telegram import MBusRecord, MBusTelegram, decode_telegram
from .units import UNKNOWN_MEDIUM

MBUS_SLOTS = 4
"""Device slots of M-Bus meters; those after them are MEP devices."""
DEVICE_DIMENSIONS_LENGTH = 26
READING_HEADER_LENGTH = 7
"""Bytes of a reading before its first telegram."""
RECURRING_READ_HEADER_LENGTH = 8
"""Bytes of an ET45 entry before its reading."""

_MOST_DEVICES = 6
_LARGEST_READING = 2048
"""Bytes, more than the guide's meters have: 517."""
_MOST_DATA_TYPES = 64
"""More than the guide's meters have: 16."""

EXTENDED_COUNT_OFFSET = 69
"""Where ET54 says how many entries ET74 has, two bytes."""
_MOST_EXTENDED = 4096
_UNMOVED_OFFSET = 7
"""Where ET74 says how many of its entries are not in ET45 yet."""

_STATUS_ENTRIES_OFFSET = 6
_UP = 1
_SUCCESS = 4
_LENGTH_FIELD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDimensions:
    """The useful fields of ET11.

    devices are the slots for M-Bus meters and MEP devices; data_types the entries
    of ET57. The lengths are those of the entries of ET13, ET14 and ET16.
    """

    devices: int
    configuration_length: int
    status_length: int
    reading_length: int
    data_types: int

    @property
    def mbus_status_length(self) -> int:
        """Length of ET14 up to the end of the last M-Bus slot."""
        slots = min(self.devices, MBUS_SLOTS)
        return _STATUS_ENTRIES_OFFSET + slots * self.status_length

    def reading_offset(self, slot: int) -> int:
        """Return the offset in ET16 of the reading of a slot, counted from 1."""
        return (slot - 1) * self.reading_length


def decode_device_dimensions(data: bytes) -> DeviceDimensions:
    """Decode ET11, its first 26 bytes.

    Raises DecodeError, also for more devices than the guide knows.
    """
    table = TableData("ET11", data)
    return DeviceDimensions(
        devices=table.limited(0, _MOST_DEVICES),
        configuration_length=table.uint(1),
        status_length=table.uint(2),
        reading_length=table.limited(5, _LARGEST_READING, 2),
        data_types=table.limited(25, _MOST_DATA_TYPES),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MBusStatus:
    """An occupied M-Bus slot of ET14.

    slot counts from 1. reading_length is how many bytes of ET16 the latest reading
    has.
    """

    slot: int
    handle: int
    up: bool
    reading_length: int


def decode_mbus_status(
    data: bytes, dimensions: DeviceDimensions
) -> tuple[MBusStatus, ...]:
    """Decode the occupied M-Bus slots of ET14, mbus_status_length bytes."""
    table = TableData("ET14", data)
    occupied = table.uint(5)
    slots: list[MBusStatus] = []
    for index in range(min(dimensions.devices, MBUS_SLOTS)):
        if not occupied >> index & 1:
            continue
        offset = _STATUS_ENTRIES_OFFSET + index * dimensions.status_length
        entry = TableData(
            "ET14", table.raw(offset, dimensions.status_length), start=offset
        )
        slots.append(
            MBusStatus(
                slot=index + 1,
                handle=entry.uint(offset, 2),
                up=entry.uint(offset + 2) == _UP,
                reading_length=entry.uint(offset + 4, 2),
            )
        )
    return tuple(slots)


@dataclass(frozen=True, slots=True, kw_only=True)
class MBusReading:
    """An entry of ET16, or of ET45: what an M-Bus meter answered, and when.

    read_at is local, and None where the entry was never written. failed says that
    the meter could not authenticate the answer, which then has no records. An
    answer can consist of several telegrams.
    """

    read_at: datetime | None
    failed: bool
    telegrams: tuple[MBusTelegram, ...]


def decode_mbus_reading(name: str, data: bytes) -> MBusReading:
    """Decode a reading, of the length that ET14 or ET45 gives.

    name is that of the table. The last telegram may be cut off. One that does not
    say whose it is costs only itself; where none does, it is a DecodeError.
    """
    table = TableData(name, data)
    read_at = optional_date_time(table, 0, None)
    failed = table.bit(6, 5)
    telegrams: list[MBusTelegram] = []
    problem: DecodeError | None = None
    position = READING_HEADER_LENGTH
    while position < len(data) and (length := table.uint(position)):
        raw = data[position + 1 : position + 1 + length]
        position += 1 + length
        try:
            telegram = decode_telegram(
                raw,
                fixed=table.bit(6, 1),
                big_endian=table.bit(6, 0),
                decrypted=table.bit(6, 2),
            )
        except DecodeError as err:
            problem = err
            continue
        if failed:
            telegram = replace(telegram, records=(), unknown_records=())
        telegrams.append(telegram)
    if problem and not telegrams:
        raise problem
    return MBusReading(read_at=read_at, failed=failed, telegrams=tuple(telegrams))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringRead:
    """An entry of ET45, or ET74, without its reading.

    handle is that of the device in ET14; reading_length says how many bytes of
    reading follow.
    """

    handle: int
    successful: bool
    reading_length: int


def decode_recurring_read(name: str, data: bytes, start: int = 0) -> RecurringRead:
    """Decode the first 8 bytes of an entry of ET45, which begins at start.

    The length in the entry counts what follows it.
    """
    table = TableData(name, data, start=start)
    return RecurringRead(
        handle=table.uint(start + 4, 2),
        successful=table.uint(start + 7) == _SUCCESS,
        reading_length=max(
            0, table.uint(start, 2) + _LENGTH_FIELD - RECURRING_READ_HEADER_LENGTH
        ),
    )


def decode_extended_count(data: bytes) -> int:
    """Decode from two bytes of ET54, at 69, how many entries ET74 has."""
    table = TableData("ET54", data, EXTENDED_COUNT_OFFSET)
    return table.limited(EXTENDED_COUNT_OFFSET, _MOST_EXTENDED, 2)


def decode_unmoved_count(data: bytes) -> int:
    """Decode from the header of ET74 how many of its newest entries only it has."""
    return TableData("ET74", data).uint(_UNMOVED_OFFSET, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MBusDevice:
    """An M-Bus meter behind the meter.

    slot counts from 1; handle is the meter's number for the device; up is whether
    it answers. read_at is local. Where there is no reading, serial_number and
    manufacturer are empty. encrypted says that the meter could not decrypt the
    reading, failed that it could not authenticate it; neither has records then.
    """

    slot: int
    handle: int
    up: bool
    serial_number: str
    manufacturer: str
    medium: str
    version: int
    read_at: datetime | None
    encrypted: bool
    failed: bool
    power_low: bool
    permanent_error: bool
    temporary_error: bool
    records: tuple[MBusRecord, ...]
    unknown_records: tuple[bytes, ...]


def mbus_device(status: MBusStatus, reading: MBusReading | None) -> MBusDevice:
    """Return the device of a slot of ET14, with its newest reading."""
    telegrams = () if reading is None else reading.telegrams
    first = telegrams[0] if telegrams else None
    return MBusDevice(
        slot=status.slot,
        handle=status.handle,
        up=status.up,
        serial_number="" if first is None else first.serial_number,
        manufacturer="" if first is None else first.manufacturer,
        medium=UNKNOWN_MEDIUM if first is None else first.medium,
        version=0 if first is None else first.version,
        read_at=None if reading is None else reading.read_at,
        encrypted=any(telegram.encrypted for telegram in telegrams),
        failed=reading is not None and reading.failed,
        power_low=any(telegram.power_low for telegram in telegrams),
        permanent_error=any(telegram.permanent_error for telegram in telegrams),
        temporary_error=any(telegram.temporary_error for telegram in telegrams),
        records=tuple(record for telegram in telegrams for record in telegram.records),
        unknown_records=tuple(
            raw for telegram in telegrams for raw in telegram.unknown_records
        ),
    )
