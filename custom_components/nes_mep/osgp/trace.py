"""What went over the link lately: the last exchanges, and tables as last read.

All of it is plain, without what proves or hides it on the line: no digest, no sequence
number of a request, nothing encrypted.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

EXCHANGES_KEPT = 50
_PARTS_KEPT = 32
"""Parts of one table; more come from logs and the load profile only."""


@dataclass(frozen=True, slots=True)
class ExchangeRecord:
    """A request and what came of it.

    at is when it began, in UTC, and seconds how long it took, with its sent
    copies. The packets are those of C12.18; where there is no verified reply, error
    is the name of what was raised instead. Its repr tells no contents.
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

    It can be handed from one opened meter to the next, so that attempts to open a
    meter that fail leave something to look at.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
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
        """Keep an exchange."""
        self._exchanges.append(record)

    def keep(
        self, table: int, offset: int, count: int, data: bytes, at: datetime
    ) -> None:
        """Keep what a read of so many bytes returned at a time."""
        parts = self._parts.setdefault(table, {})
        # The place of a read that is repeated is that of the newest.
        parts.pop((offset, count), None)
        parts[offset, count] = TablePart(offset, data, at)
        if len(parts) > _PARTS_KEPT:
            del parts[next(iter(parts))]
        self._refusals.pop(table, None)

    def refuse(self, table: int, code: int) -> None:
        """Keep that a read was refused."""
        self._refusals[table] = code

    def forget_tables(self) -> None:
        """Forget the tables, which are laid out anew."""
        self._parts.clear()
        self._refusals.clear()
