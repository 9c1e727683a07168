"""What the logs of the meter share: circular order, headers, and ET36."""

from dataclasses import dataclass
from enum import Enum
from itertools import accumulate

from .fields import TableData
from .layout import Span

_DIMENSION_RECORD = 17
_MOST_LOGS = 16
"""The guide lists seven logs."""
_MOST_ENTRIES = 255
_LONGEST_ENTRY = 4096
"""Bytes; an entry that holds all registers a meter can have takes about 2500."""


class LogKind(Enum):
    """The forms of log header, by the widths of their four numbers.

    These follow the flags of byte 0: valid entries, index of the last entry,
    sequence number of the last entry, unread entries.
    """

    SMALL = (1, 1, 2, 1)
    """ET45 and ET81."""
    MEDIUM = (2, 2, 2, 2)
    """ET74."""
    EVENTS = (2, 2, 4, 2)
    """BT74 and ET79."""

    @property
    def header_length(self) -> int:
        """Length of the header, which is the offset of the first entry."""
        return 1 + sum(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHeader:
    """The header of a log, whose entries are a circular queue.

    name is the name of the table. A reader compares the headers from before and after
    it read entries: if they differ, the meter may have overwritten some.
    """

    name: str
    kind: LogKind
    valid_entries: int
    last_index: int
    last_sequence_number: int


def decode_log_header(name: str, kind: LogKind, data: bytes) -> LogHeader:
    """Decode the header of a log, kind.header_length bytes."""
    table = TableData(name, data)
    widths = kind.value
    valid, last, sequence_number = (
        table.uint(offset, width)
        for offset, width in zip(
            accumulate(widths, initial=1), widths[:3], strict=False
        )
    )
    return LogHeader(
        name=name,
        kind=kind,
        valid_entries=valid,
        last_index=last,
        last_sequence_number=sequence_number,
    )


def entry_indices(
    header: LogHeader, entries: int, count: int | None = None
) -> tuple[int, ...]:
    """Return the indices of the newest count entries (None: all), newest last.

    entries is the number of entries that the log can hold. Raises DecodeError if the
    header does not fit it.
    """
    valid = header.valid_entries
    if valid and not (valid <= entries and header.last_index < entries):
        raise TableData(header.name, b"").error(
            0,
            header.kind.header_length,
            f"{valid} entries, the last at {header.last_index}, in a log of {entries}",
        )
    wanted = valid if count is None else max(0, min(count, valid))
    first = header.last_index - wanted + 1
    return tuple((first + age) % entries for age in range(wanted))


def entry_spans(
    header: LogHeader, entry_length: int, entries: int, count: int | None = None
) -> tuple[Span, ...]:
    """Return where the newest count entries (None: all) are in the table.

    The bytes of the spans, one after the other, are the entries with the newest
    last. There are two spans where the entries go over the end of the log.
    """
    spans: list[Span] = []
    for index in entry_indices(header, entries, count):
        offset = header.kind.header_length + index * entry_length
        if spans and offset == spans[-1].offset + spans[-1].length:
            spans[-1] = Span(spans[-1].offset, spans[-1].length + entry_length)
        else:
            spans.append(Span(offset, entry_length))
    return tuple(spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDimensions:
    """A record of ET36: how large the entries of a log are and how many it holds.

    entries is 0 for a log that is not configured.
    """

    entry_length: int
    maximum_entries: int
    entries: int


def log_dimensions_length(count: int) -> int:
    """Return the length of ET36 without its bitmap; count is its first byte."""
    return 1 + _DIMENSION_RECORD * count


def decode_log_count(data: bytes) -> int:
    """Decode how many logs ET36 describes, from its first byte. Raises DecodeError."""
    return TableData("ET36", data).limited(0, _MOST_LOGS)


def decode_log_dimensions(data: bytes) -> dict[str, LogDimensions]:
    """Decode ET36, log_dimensions_length() bytes, into its logs by table name.

    The names are like "ET81". Raises DecodeError.
    """
    table = TableData("ET36", data)
    logs: dict[str, LogDimensions] = {}
    for record in range(decode_log_count(data)):
        offset = log_dimensions_length(record)
        identifier = table.uint(offset, 2)
        kind = "ET" if identifier >> 11 & 1 else "BT"
        logs[f"{kind}{identifier & 0x7FF:02d}"] = LogDimensions(
            entry_length=table.limited(offset + 2, _LONGEST_ENTRY, 2),
            maximum_entries=table.limited(offset + 4, _MOST_ENTRIES, 2),
            entries=table.limited(offset + 6, _MOST_ENTRIES, 2),
        )
    return logs
