"""Reading the M-Bus meters behind the meter: ET14, ET16, ET45 and ET74."""

from dataclasses import dataclass
import logging

from ..discovery import read_log_dimensions
from ..errors import DecodeError, RefusalError
from ..link import Link
from ..refusals import is_out_of_reach
from ..tables.logs import LogKind, decode_log_header, entry_indices
from ..tables.names import parse_table
from .tables import (
    DEVICE_DIMENSIONS_LENGTH,
    EXTENDED_COUNT_OFFSET,
    RECURRING_READ_HEADER_LENGTH,
    DeviceDimensions,
    MBusDevice,
    MBusReading,
    MBusStatus,
    decode_device_dimensions,
    decode_extended_count,
    decode_mbus_reading,
    decode_mbus_status,
    decode_recurring_read,
    decode_unmoved_count,
    mbus_device,
)

_LOGGER = logging.getLogger(__name__)

_ET11 = parse_table("ET11")
_ET14 = parse_table("ET14")
_ET16 = parse_table("ET16")
_ET45 = parse_table("ET45")
_ET54 = parse_table("ET54")
_ET74 = parse_table("ET74")
_RECURRING_READS = "ET45"
_EXTENDED_SINCE = (3, 60)


def _decoded(name: str, data: bytes) -> MBusReading | None:
    """Return a reading, None where it cannot be decoded."""
    try:
        return decode_mbus_reading(name, data)
    except DecodeError as err:
        _LOGGER.debug("A reading in %s cannot be decoded: %s", name, err)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entries:
    """A log of readings: its header, how many entries it has room for, their length."""

    name: str
    kind: LogKind
    header: bytes
    entries: int
    length: int

    async def read(
        self, link: Link, missing: dict[int, MBusStatus], count: int | None = None
    ) -> list[tuple[MBusStatus, MBusReading]]:
        """Read the newest entry of each missing device, and take it off the missing.

        With a count, only so many newest entries are looked at. Raises MeterError.
        """
        table = parse_table(self.name)
        header = decode_log_header(self.name, self.kind, self.header)
        found: list[tuple[MBusStatus, MBusReading]] = []
        for index in reversed(entry_indices(header, self.entries, count)):
            if not missing:
                break
            offset = self.kind.header_length + index * self.length
            data = await link.read(table, offset, RECURRING_READ_HEADER_LENGTH)
            entry = decode_recurring_read(self.name, data, offset)
            if not entry.successful or entry.handle not in missing:
                continue
            length = min(
                entry.reading_length, self.length - RECURRING_READ_HEADER_LENGTH
            )
            offset += RECURRING_READ_HEADER_LENGTH
            if reading := _decoded(self.name, await link.read(table, offset, length)):
                found.append((missing.pop(entry.handle), reading))
        return found


class ExtendedLog:
    """ET74, where scheduled readings come first and wait for room in ET45.

    How many entries it has is asked once; firmware before 3.60 has none.
    """

    def __init__(self, firmware: tuple[int, ...]) -> None:
        """Initialize with the firmware of the meter."""
        self._entries = None if firmware >= _EXTENDED_SINCE else 0

    async def read(
        self, link: Link, missing: dict[int, MBusStatus], length: int
    ) -> list[tuple[MBusStatus, MBusReading]]:
        """Read the newest entry of each missing device, and take it off the missing.

        length is that of an entry. Raises MeterError.
        """
        try:
            if self._entries is None:
                count = await link.read(_ET54, EXTENDED_COUNT_OFFSET, 2)
                self._entries = decode_extended_count(count)
            if not self._entries:
                return []
            header = await link.read(_ET74, 0, LogKind.MEDIUM.header_length)
        except RefusalError as err:
            if not is_out_of_reach(err):
                raise
            self._entries = 0
            return []
        waiting = _Entries(
            name="ET74",
            kind=LogKind.MEDIUM,
            header=header,
            entries=self._entries,
            length=length,
        )
        return await waiting.read(link, missing, decode_unmoved_count(header))


async def read_device_dimensions(link: Link) -> DeviceDimensions:
    """Read ET11. Raises MeterError, and RefusalError where the meter has none."""
    return decode_device_dimensions(await link.read(_ET11, 0, DEVICE_DIMENSIONS_LENGTH))


async def read_mbus_devices(
    link: Link, dimensions: DeviceDimensions, extended: ExtendedLog | None = None
) -> tuple[MBusDevice, ...]:
    """Read the M-Bus meters and the newest reading of each. Raises MeterError.

    ET16 has the first reading after a meter was added and those on demand, the log
    ET45 has the scheduled ones, and the extended log ET74 those that wait for room
    there. While the meter refuses a log, it is not known which reading is the newest,
    and there is none. A reading that cannot be decoded costs only itself.
    """
    data = await link.read(_ET14, 0, dimensions.mbus_status_length)
    slots = decode_mbus_status(data, dimensions)
    if not slots:
        return ()
    readings = {
        status.slot: [await _read_latest(link, dimensions, status)] for status in slots
    }
    scheduled = await _read_scheduled(link, slots, extended)
    if scheduled is None:
        return tuple(mbus_device(status, None) for status in slots)
    for status, reading in scheduled:
        readings[status.slot].append(reading)
    return tuple(
        mbus_device(status, _newest(readings[status.slot])) for status in slots
    )


def _newest(readings: list[MBusReading | None]) -> MBusReading | None:
    """Return the newest of the readings that have a time, else any."""
    known = [reading for reading in readings if reading]
    timed = [(each.read_at, each) for each in known if each.read_at]
    if timed:
        return max(timed, key=lambda pair: pair[0])[1]
    return known[0] if known else None


async def _read_latest(
    link: Link, dimensions: DeviceDimensions, status: MBusStatus
) -> MBusReading | None:
    """Read the entry of ET16 of a meter, if it was ever written."""
    length = min(status.reading_length, dimensions.reading_length)
    if not length:
        return None
    offset = dimensions.reading_offset(status.slot)
    return _decoded("ET16", await link.read(_ET16, offset, length))


async def _read_scheduled(
    link: Link, slots: tuple[MBusStatus, ...], extended: ExtendedLog | None
) -> list[tuple[MBusStatus, MBusReading]] | None:
    """Read the newest entry of each meter that has one in the logs, ET74 first.

    Return None while the meter refuses a log.
    """
    missing = {status.handle: status for status in slots}
    try:
        log = (await read_log_dimensions(link)).get(_RECURRING_READS)
        if log is None or not log.entries:
            return []
        found: list[tuple[MBusStatus, MBusReading]] = []
        if extended:
            found += await extended.read(link, missing, log.entry_length)
        if missing:
            header = await link.read(_ET45, 0, LogKind.SMALL.header_length)
            found += await _Entries(
                name=_RECURRING_READS,
                kind=LogKind.SMALL,
                header=header,
                entries=log.entries,
                length=log.entry_length,
            ).read(link, missing)
    except RefusalError as err:
        return [] if is_out_of_reach(err) else None
    return found
