"""A table under construction, and the registry that every encoder enters itself in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from struct import pack
from typing import Protocol, Self
from zoneinfo import ZoneInfo

from ..load_profile.history import History
from ..names import table_id
from ..profiles import Profile
from ..registers import Snapshot
from ..state import MeterState


class Layout:
    """The bytes of a table, zero at first; all numbers are little-endian."""

    def __init__(self, length: int = 0) -> None:
        """Start with a length; fields behind it make the table longer."""
        self._bytes = bytearray(length)

    def put(self, offset: int, form: str, *values: int | bytes) -> Self:
        """Write fields of a ``struct`` format (without byte order) at an offset."""
        return self._place(offset, pack(f"<{form}", *values))

    def text(self, offset: int, length: int, value: str, fill: bytes = b"\0") -> Self:
        """Write ASCII text, cut or filled up to its length."""
        return self._place(offset, value.encode("ascii")[:length].ljust(length, fill))

    def add(self, form: str, *values: int | bytes) -> Self:
        """Write fields behind all others."""
        return self.put(len(self._bytes), form, *values)

    def _place(self, offset: int, field: bytes) -> Self:
        missing = offset + len(field) - len(self._bytes)
        self._bytes.extend(bytes(max(0, missing)))
        self._bytes[offset : offset + len(field)] = field
        return self

    def __len__(self) -> int:
        """Return the length so far."""
        return len(self._bytes)

    def done(self) -> bytes:
        """Return the table."""
        return bytes(self._bytes)


def long_time(time: datetime | None) -> bytes:
    """Return LTIME_DATE of a time as it is, whatever its zone; zeros for None."""
    if time is None:
        return bytes(6)
    return bytes((time.year - 2000, *time.timetuple()[1:6]))


def ring(
    entries: Sequence[bytes],
    total: int,
    capacity: int,
    size: int,
    *,
    header: str = "BBBHB",
    last: int | None = None,
    number: int | None = None,
) -> bytes:
    """Return a circular log: header, then the entries in their places.

    ``entries`` are the newest ones, oldest first; ``total`` is how many there ever
    were, ``number`` the sequence number of the last one, if it is another. Nothing
    has been read, so that the log overflows when it comes round. ``header`` are flags,
    valid entries, last index, last number, unread entries; ``last`` replaces the index.
    """
    total = total if capacity else 0
    valid = min(total, capacity)
    flags = (total > capacity) << 1 | bool(capacity) << 2
    index = (total - 1) % capacity if valid else 0
    if last is not None:
        index = last
    digits = 32 if "I" in header else 16
    number = (total if number is None else number) % (1 << digits)
    layout = Layout().put(0, header, flags, valid, index, number, valid)
    start = len(layout)
    layout.add(f"{capacity * size}x")
    for place, entry in enumerate(entries, total - len(entries)):
        layout.put(start + place % capacity * size, f"{len(entry)}s", entry)
    return layout.done()


@dataclass(frozen=True, kw_only=True)
class View:
    """What a table can show: registers, clock and state of the meter at one time."""

    profile: Profile
    snapshot: Snapshot
    clock: datetime  # the meter's own idea of the time, aware, UTC
    sequence: int  # last accepted sequence number
    interface_version: int
    zone: ZoneInfo
    season: int
    state: MeterState
    history: History

    @property
    def time(self) -> int:
        """The meter's clock as Unix time."""
        return int(self.clock.timestamp())


class Writer(Enum):
    """Which key may write a table."""

    NONE = "none"
    ADVANCED = "MAK"
    BASIC = "MBK or MAK"


type Encoder = Callable[[View], bytes]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: how it is encoded, who may write it, which firmware brought it."""

    number: int
    encode: Encoder
    writer: Writer
    since: tuple[int, int]


TABLES: dict[int, Table] = {}


def table(
    name: str, writer: Writer = Writer.NONE, *, since: tuple[int, int] = (0, 0)
) -> Callable[[Encoder], Encoder]:
    """Enter an encoder as a table of the meter."""

    def enter(encode: Encoder) -> Encoder:
        number = table_id(name)
        TABLES[number] = Table(number, encode, writer, since)
        return encode

    return enter


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeTable:
    """A table of which only those bytes are computed that are asked for; read only."""

    number: int
    length: Callable[[View], int]
    read: Callable[[View, int, int], bytes]
    since: tuple[int, int]


LARGE_TABLES: dict[int, LargeTable] = {}


class TableBytes(Protocol):
    """The bytes of a table at one moment, or something that can be read like them."""

    def __len__(self) -> int:
        """Return the length."""

    def __getitem__(self, part: slice, /) -> bytes:
        """Return a part."""

    def __bytes__(self) -> bytes:
        """Return all of it."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of a large table at one moment."""

    table: LargeTable
    view: View

    def __len__(self) -> int:
        """Return its length."""
        return self.table.length(self.view)

    def __getitem__(self, part: slice) -> bytes:
        """Return a part."""
        start, stop, _ = part.indices(len(self))
        return self.table.read(self.view, start, stop)

    def __bytes__(self) -> bytes:
        """Return all of it."""
        return self[:]
