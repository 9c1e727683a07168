"""Reading the meter's event logs: BT74, and ET79 on meters that have it."""

from collections.abc import Mapping
from dataclasses import dataclass

from .discovery import MeterIdentity
from .errors import RefusalError, UnverifiedReplyError
from .link import Link
from .refusals import is_absent, is_out_of_reach
from .tables.events import (
    ALTERNATE_ENTRIES_OFFSET,
    ALTERNATE_EVENT_LOG,
    EVENT_LOG_DIMENSIONS_LENGTH,
    PRIMARY_EVENT_LOG,
    EventLogDimensions,
    MeterEvent,
    decode_alternate_entries,
    decode_event_log_dimensions,
    decode_events,
    entries_after,
    merge_events,
)
from .tables.logs import LogHeader, LogKind, decode_log_header, entry_spans
from .tables.names import parse_table

_ET54 = parse_table("ET54")

_DIMENSIONS = "BT71"
_OLD_DIMENSIONS = "BT70"
"""Firmware without BT71 has the same two numbers in BT70."""
_ATTEMPTS = 3
"""The meter may write to a log while it is read; then it is read again."""


@dataclass(frozen=True, slots=True)
class EventLogs:
    """The event logs of a meter: their dimensions, by the name of the table.

    What their entries mean depends on the firmware.
    """

    dimensions: Mapping[str, EventLogDimensions]
    firmware_version: tuple[int, int, int]

    def decode(self, header: LogHeader, data: bytes) -> tuple[MeterEvent, ...]:
        """Decode the newest entries of the log of a header. Raises DecodeError."""
        dimensions = self.dimensions[header.name]
        return decode_events(header, data, dimensions, self.firmware_version)


async def read_event_logs(link: Link, identity: MeterIdentity) -> EventLogs:
    """Read which event logs the meter has, and their dimensions.

    Raises MeterError, and RefusalError where the meter has none.
    """
    try:
        primary = await _read_dimensions(link, _DIMENSIONS)
    except RefusalError as err:
        if not is_absent(err):
            raise
        primary = await _read_dimensions(link, _OLD_DIMENSIONS)
    logs = {PRIMARY_EVENT_LOG: primary}
    if identity.is_like_3_70 and (count := await _read_alternate_entries(link)):
        logs[ALTERNATE_EVENT_LOG] = EventLogDimensions(
            argument_length=primary.argument_length, entries=count
        )
    return EventLogs(logs, identity.firmware_version)


async def _read_alternate_entries(link: Link) -> int:
    """Read how many entries ET79 can hold: 0 if it is off or out of reach."""
    try:
        entries = await link.read(_ET54, ALTERNATE_ENTRIES_OFFSET, 2)
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        return 0
    return decode_alternate_entries(entries)


async def _read_dimensions(link: Link, name: str) -> EventLogDimensions:
    """Read BT71 or BT70."""
    data = await link.read(parse_table(name), 0, EVENT_LOG_DIMENSIONS_LENGTH)
    return decode_event_log_dimensions(data, name)


async def read_events(
    link: Link, logs: EventLogs, after: int | None, count: int | None
) -> tuple[MeterEvent, ...]:
    """Read events of all logs, newest last.

    Only those after a sequence number, and of these the newest count. Raises
    MeterError.
    """
    headers = await _read_headers(link, logs)
    for _ in range(_ATTEMPTS):
        newest = max(header.last_sequence_number for header in headers)
        # The logs were cleared, and this meter then counts from the start again.
        since = None if after is not None and after > newest else after
        entries = [
            await _read_entries(link, header, logs, since, count) for header in headers
        ]
        before, headers = headers, await _read_headers(link, logs)
        # Both at once: an event that only one of them has yet is not passed over.
        if headers == before:
            return merge_events(map(logs.decode, headers, entries), since, count)
    names = " or ".join(logs.dimensions)
    raise UnverifiedReplyError(f"{names} changed while it was read: try again")


async def _read_headers(link: Link, logs: EventLogs) -> list[LogHeader]:
    return [await _read_header(link, name) for name in logs.dimensions]


async def _read_entries(
    link: Link,
    header: LogHeader,
    logs: EventLogs,
    after: int | None,
    count: int | None,
) -> bytes:
    """Read the raw bytes of the newest entries of one log, newest last."""
    dimensions = logs.dimensions[header.name]
    entries = header.valid_entries
    if after is not None:
        entries = min(entries, entries_after(header, after))
    if count is not None:
        entries = min(entries, count)
    spans = entry_spans(header, dimensions.entry_length, dimensions.entries, entries)
    table = parse_table(header.name)
    return b"".join(
        [await link.read(table, span.offset, span.length) for span in spans]
    )


async def _read_header(link: Link, name: str) -> LogHeader:
    kind = LogKind.EVENTS
    data = await link.read(parse_table(name), 0, kind.header_length)
    return decode_log_header(name, kind, data)
