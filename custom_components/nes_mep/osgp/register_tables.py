"""Reading registers from BT23 and BT28 in the fewest requests."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
import logging
from math import inf

from .errors import DecodeError, RefusalError
from .link import Link
from .registers import Register, Value
from .requests import ResponseCode
from .tables.fields import TableData
from .tables.layout import Span, spans
from .tables.names import table_name

_LOGGER = logging.getLogger(__name__)

_PASSED_OVER = 100
"""Unwanted bytes between two wanted registers that are read as well: a separate request
for the second one would take longer."""

_PERHAPS_BEYOND_END = frozenset(
    {ResponseCode.NOT_POSSIBLE, ResponseCode.TABLE_NOT_POSSIBLE}
)
"""How meters refuse a read beyond the end of a table, and other reads as well."""

_END_HOLDS = 900.0
"""Seconds after which the end of a table is checked again."""


@dataclass(frozen=True, slots=True)
class TableReading:
    """Values of registers of one table by key, and why some are missing.

    There is no error where the table is known to end before them.
    """

    values: dict[str, Value | None]
    error: RefusalError | None


class RegisterTables:
    """The register tables of a meter, as long as their layout stays the same.

    A table can end before the place where its dimensions have the end. That costs the
    registers behind its end, and no others.
    """

    def __init__(self, link: Link) -> None:
        """Initialize with nothing known about the ends of tables."""
        self._link = link
        self._ends: dict[int, tuple[int, float]] = {}
        """Where a table was found to end, and until when that is relied on."""

    async def read(
        self, table: int, length: int, registers: Collection[Register]
    ) -> TableReading:
        """Return what could be read of registers of one table.

        length is that of the table, as the dimensions have it. Raises MeterError where
        nothing could be read.
        """
        if self._link.pads_tables and table not in self._ends:
            await self._find_end(table)
        end = self._end(table)
        places = {Span(each.offset, each.length) for each in registers}
        within = {place for place in places if place.end <= end}
        if not self._link.pads_tables:
            within = within or places
        values: dict[str, Value | None] = {}
        error: RefusalError | None = None
        for span in spans(within, self._link.reply_capacity, _PASSED_OVER):
            inside = sorted(
                (place for place in within if span.offset <= place.offset < span.end),
                key=lambda place: place.offset,
            )
            try:
                data, error = await self._read_span(
                    table, length, inside, is_refused=not values
                )
            except RefusalError as err:
                if not values or err.code not in _PERHAPS_BEYOND_END:
                    raise
                data, error = b"", err
            part = TableData(table_name(table), data, span.offset)
            for register in registers:
                if part.has(register.offset, register.length):
                    values[register.key] = register.value(part)
            if error is not None:
                if self._is_certain_end(table, span.offset + len(data)):
                    error = None
                break
        if not values:
            raise DecodeError(
                table_name(table), 0, length, "it has none of its registers"
            )
        return TableReading(values, error)

    async def _read_span(
        self, table: int, length: int, places: Sequence[Span], *, is_refused: bool
    ) -> tuple[bytes, RefusalError | None]:
        """Return the bytes of adjacent places, and why not of the last of them.

        Where all are refused together, half of them is tried, then half of the rest, and
        so on up to the first one that is refused by itself. is_refused says that the
        whole table may be refused: then half of it is the last attempt.
        """
        offset, data = places[0].offset, b""
        begin, beyond, middle = 0, len(places), len(places)
        error: RefusalError | None = None
        while begin < beyond:
            start, end = offset + len(data), places[middle - 1].end
            try:
                data += await self._link.read(
                    table, start, end - start, table_length=length
                )
                begin = middle
            except RefusalError as err:
                is_whole = error is None
                is_useless = is_refused and not data and not is_whole
                if err.code not in _PERHAPS_BEYOND_END or middle == 1 or is_useless:
                    raise error or err from None
                # All of it could also be refused for another reason than its end.
                error, beyond = err, middle if is_whole else middle - 1
            middle = (begin + beyond + 1) // 2
        return data, error if beyond < len(places) else None

    async def _find_end(self, table: int) -> None:
        """Find where a table ends, which a padded part of it does not show.

        A table that fits no reply is taken to be as long as its dimensions have it.
        Raises MeterError.
        """
        end, until = 0, -inf
        try:
            end, until = len(await self._link.read_to_end(table, 0)), inf
        except RefusalError as err:
            if err.code != ResponseCode.NOT_POSSIBLE:
                raise
        self._ends[table] = (end, until)

    def _end(self, table: int) -> float:
        """Return where a table ends, as far as that is relied on."""
        end, until = self._ends.get(table, (0, -inf))
        return end if self._link.clock.time() < until else inf

    def _is_certain_end(self, table: int, end: int) -> bool:
        """Return whether an end was found twice: a refusal can have other reasons.

        Such an end is relied on for a while.
        """
        is_certain = self._ends.get(table, (0, -inf))[0] == end
        until = -inf
        if is_certain:
            _LOGGER.debug("%s ends at %d", table_name(table), end)
            until = self._link.clock.time() + _END_HOLDS
        self._ends[table] = (end, until)
        return is_certain
