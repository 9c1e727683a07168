"""A table under construction, and the registry that every encoder enters itself in."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from struct import pack
from typing import Self

from ..names import table_id
from ..profiles import Profile
from ..registers import Snapshot


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


@dataclass(frozen=True, kw_only=True)
class View:
    """What a table can show: registers, clock and state of the meter at one time."""

    profile: Profile
    snapshot: Snapshot
    clock: datetime  # the meter's own idea of the time, aware, UTC
    sequence: int  # last accepted sequence number
    interface_version: int


class Writer(Enum):
    """Which key may write a table."""

    NONE = "none"
    ADVANCED = "MAK"
    BASIC = "MBK or MAK"


type Encoder = Callable[[View], bytes | None]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: how it is encoded (None: this meter lacks it), who may write it."""

    number: int
    encode: Encoder
    writer: Writer


TABLES: dict[int, Table] = {}


def table(name: str, writer: Writer = Writer.NONE) -> Callable[[Encoder], Encoder]:
    """Enter an encoder as a table of the meter."""

    def enter(encode: Encoder) -> Encoder:
        number = table_id(name)
        TABLES[number] = Table(number, encode, writer)
        return encode

    return enter
