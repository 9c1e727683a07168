"""Recent traffic of the link: the last exchanges, and the tables as last read.

It holds plain packets, without what protects them on the line: no digest, no sequence
number of a request, nothing encrypted.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

EXCHANGES_KEPT = 50
_PARTS_KEPT = 32
"""Parts of one table; only logs and the load profile have more."""


@dataclass(frozen=True, slots=True)
class ExchangeRecord:
    """A request and its outcome.

    at is when it began, in UTC, seconds how long it took, and sent how many copies were
    sent. The packets are those of C12.18; if there is no verified reply, error is the
    name of the exception. Its repr shows no contents.
    """

    at: datetime
    seconds: float
    sent: int
    request: bytes = field(repr=False)
    reply: bytes | None = field(repr=False)
    error: str | None


@dataclass(frozen=True, slots=True)
class TablePart:
    """Bytes of a table from an offset on, and when they were read, in UTC."""

    offset: int
    data: bytes = field(repr=False)
    at: datetime


class Trace:
    """Keeps the newest exchanges, and the newest bytes of each table.

    It can be passed from one opened meter to the next, so that failed attempts to open
    a meter are recorded too.
    """

    def __init__(self) -> None:
        """Start with nothing recorded."""
        self._exchanges: deque[ExchangeRecord] = deque(maxlen=EXCHANGES_KEPT)
        self._parts: dict[int, dict[tuple[int, int], TablePart]] = {}
        self._refusals: dict[int, int] = {}

    @property
    def exchanges(self) -> Iterable[ExchangeRecord]:
        """The newest exchanges, oldest first."""
        return tuple(self._exchanges)

    @property
    def tables(self) -> Mapping[int, tuple[TablePart, ...]]:
        """What was read of each table, by table id, oldest first; parts may overlap."""
        return {table: tuple(parts.values()) for table, parts in self._parts.items()}

    @property
    def refusals(self) -> Mapping[int, int]:
        """The response codes of tables whose newest request was refused."""
        return self._refusals

    def add(self, record: ExchangeRecord) -> None:
        """Record an exchange."""
        self._exchanges.append(record)

    def keep(
        self, table: int, offset: int, count: int, data: bytes, at: datetime
    ) -> None:
        """Record what a read of count bytes returned, and when."""
        parts = self._parts.setdefault(table, {})
        # A repeated read moves to the end, as the newest.
        parts.pop((offset, count), None)
        parts[offset, count] = TablePart(offset, data, at)
        if len(parts) > _PARTS_KEPT:
            del parts[next(iter(parts))]
        self._refusals.pop(table, None)

    def refuse(self, table: int, code: int) -> None:
        """Record that a read was refused."""
        self._refusals[table] = code

    def forget_tables(self) -> None:
        """Forget the tables, because their layout may have changed."""
        self._parts.clear()
        self._refusals.clear()
