"""Reading the M-Bus meters behind the meter: ET14, ET16 and ET45."""

import logging

from ..discovery import read_log_dimensions
from ..errors import DecodeError, RefusalError
from ..link import Link
from ..refusals import is_out_of_reach
from ..tables.logs import LogKind, decode_log_header, entry_indices
from ..tables.names import parse_table
from .tables import (
    DEVICE_DIMENSIONS_LENGTH,
    RECURRING_READ_HEADER_LENGTH,
    DeviceDimensions,
    MBusDevice,
    MBusReading,
    MBusStatus,
    decode_device_dimensions,
    decode_mbus_reading,
    decode_mbus_status,
    decode_recurring_read,
    mbus_device,
)

_LOGGER = logging.getLogger(__name__)

_ET11 = parse_table("ET11")
_ET14 = parse_table("ET14")
_ET16 = parse_table("ET16")
_ET45 = parse_table("ET45")
_RECURRING_READS = "ET45"


async def read_device_dimensions(link: Link) -> DeviceDimensions:
    """Read ET11. Raises MeterError, and RefusalError where the meter has none."""
    return decode_device_dimensions(await link.read(_ET11, 0, DEVICE_DIMENSIONS_LENGTH))


async def read_mbus_devices(
    link: Link, dimensions: DeviceDimensions
) -> tuple[MBusDevice, ...]:
    """Read the M-Bus meters and the newest reading of each. Raises MeterError.

    ET16 has the first reading after a meter was added and those on demand, the log
    ET45 has the scheduled ones. While the meter refuses the log, it is not known which
    reading is the newest, and there is none. A reading that cannot be decoded costs
    only itself.
    """
    data = await link.read(_ET14, 0, dimensions.mbus_status_length)
    slots = decode_mbus_status(data, dimensions)
    if not slots:
        return ()
    readings = {
        status.slot: [await _read_latest(link, dimensions, status)] for status in slots
    }
    scheduled = await _read_scheduled(link, slots)
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


def _decoded(name: str, data: bytes) -> MBusReading | None:
    """Return a reading, None where it cannot be decoded."""
    try:
        return decode_mbus_reading(name, data)
    except DecodeError as err:
        _LOGGER.debug("A reading in %s cannot be decoded: %s", name, err)
        return None


async def _read_scheduled(
    link: Link, slots: tuple[MBusStatus, ...]
) -> list[tuple[MBusStatus, MBusReading]] | None:
    """Read the newest entry of ET45 of each meter that has one there.

    Return None while the meter refuses the log.
    """
    try:
        log = (await read_log_dimensions(link)).get(_RECURRING_READS)
        if log is None or not log.entries:
            return []
        kind = LogKind.SMALL
        header = decode_log_header(
            _RECURRING_READS, kind, await link.read(_ET45, 0, kind.header_length)
        )
    except RefusalError as err:
        return [] if is_out_of_reach(err) else None
    missing = {status.handle: status for status in slots}
    found: list[tuple[MBusStatus, MBusReading]] = []
    for index in reversed(entry_indices(header, log.entries)):
        if not missing:
            break
        offset = kind.header_length + index * log.entry_length
        entry = decode_recurring_read(
            _RECURRING_READS,
            await link.read(_ET45, offset, RECURRING_READ_HEADER_LENGTH),
            offset,
        )
        if not entry.successful or entry.handle not in missing:
            continue
        length = min(
            entry.reading_length, log.entry_length - RECURRING_READ_HEADER_LENGTH
        )
        data = await link.read(_ET45, offset + RECURRING_READ_HEADER_LENGTH, length)
        if reading := _decoded(_RECURRING_READS, data):
            found.append((missing.pop(entry.handle), reading))
    return found
