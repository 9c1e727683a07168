"""Readings that the meter stores for the bill: at self-reads, demand resets, seasons."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Final

from .discovery import read_log_dimensions
from .errors import DecodeError, RefusalError, UnverifiedReplyError
from .link import Link
from .refusals import is_out_of_reach
from .registers import Register
from .tables.calendar import (
    CALENDAR_DIMENSIONS_LENGTH,
    decode_calendar_dimensions,
    decode_has_self_reads,
)
from .tables.dimensions import RegisterDimensions
from .tables.fields import TableData
from .tables.layout import CURRENT_REGISTERS, CurrentLayout, Span, spans
from .tables.logs import LogHeader, LogKind, decode_log_header, entry_indices
from .tables.names import parse_table
from .tables.stored_registers import (
    BILLING_NUMBER_LENGTH,
    HEAD_LENGTH,
    TIME_LENGTH,
    StoredHead,
    decode_stored_head,
    head_span,
)

_BT50 = parse_table("BT50")
_BT54 = parse_table("BT54")

_PREVIOUS_SEASON = "BT24"
_PREVIOUS_RESET = "BT25"
_SELF_READS = "BT26"
_RESET_LOG = "ET41"
_RESET_LOG_LEAD = 5
"""Bytes of an entry before its time: length, reason and billing number."""

_HEADER: Final = LogKind.SMALL
_PASSED_OVER = 100
"""Unwanted bytes between registers that are read as well, as for BT23."""
_ATTEMPTS = 3
"""The meter may store a reading while others are read; then they are read again."""
_ENERGY_UNITS: Final = frozenset({"kWh", "kvarh", "kVAh"})
_COUNT_UP: Final = ("energy_import", "energy_export")
"""Energies that never fall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingReading:
    """Energies that the meter has stored.

    source is the table (as "BT26"), time the meter's local time, without a zone, and
    season counts from 0. energies are in the shown units of the registers, by their
    keys.
    """

    source: str
    time: datetime
    season: int
    energies: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Ring:
    """A table of several readings; lead is how many bytes of an entry precede its time.

    Where has_index is not set, the guide has 0 as index of the newest entry, whichever
    it is, and the times tell.
    """

    name: str
    entries: int
    entry_length: int
    lead: int
    has_index: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    """An entry: what it says, and of which configuration its registers are."""

    reading: BillingReading
    billing_number: int | None


def energy_registers(registers: Mapping[str, Register]) -> list[Register]:
    """Return those registers that count energy in a unit that is known."""
    return [
        register
        for register in registers.values()
        if register.table == CURRENT_REGISTERS
        and register.unit in _ENERGY_UNITS
        and register.multiplier is not None
    ]


class BillingTables:
    """What a meter stores for the bill, as long as the layout of its tables stays.

    All methods raise MeterError.
    """

    def __init__(
        self,
        link: Link,
        dimensions: RegisterDimensions,
        energies: Callable[[], Awaitable[list[Register]]],
    ) -> None:
        """Start with nothing asked for; energies returns the registers of energies."""
        self._link = link
        self._dimensions = dimensions
        self._energies = energies
        self._length = CurrentLayout(dimensions).length
        self._source: _Ring | str | None = None
        self._is_source_known = False
        self._reset_log: _Ring | None = None
        self._is_reset_log_known = False
        self._lead: int | None = None
        self._newest: tuple[object, BillingReading | None] | None = None

    async def has_source(self) -> bool:
        """Return whether a table serves the bill.

        That is the self-reads where the calendar has some, else the demand resets.
        """
        if not self._is_source_known:
            self._source = await self._find_source()
            self._is_source_known = True
        return self._source is not None

    async def read_newest(self) -> BillingReading | None:
        """Return the newest reading for the bill, None if there is none so far.

        While it stays the newest, that takes one small request. What was stored before
        the layout of the tables changed has wrong energies.
        """
        if not await self.has_source():
            return None
        registers = await self._energies()
        source = self._source
        if isinstance(source, _Ring):
            header = await self._header(source)
            mark: object = (header, registers)
            read = partial(self._read_ring, source, header, registers, 1)
        else:
            name = str(source)
            time = await self._link.read(parse_table(name), 0, TIME_LENGTH)
            mark = (time, registers)
            read = partial(self._read_single, name, registers)
        if self._newest is None or self._newest[0] != mark:
            self._newest = (mark, next(reversed(await read()), None))
        return self._newest[1]

    async def read_all(self, count: int | None = None) -> tuple[BillingReading, ...]:
        """Return what all tables have, or the newest count of it, newest last.

        These are self-reads (BT26), demand resets (ET41, else BT25), and the last
        change of season (BT24).
        """
        registers = await self._energies()
        readings: list[BillingReading] = []
        for read in (self._self_reads, self._resets, self._seasons):
            try:
                readings += await read(registers, count)
            except RefusalError as err:
                if not is_out_of_reach(err):
                    raise
        readings.sort(key=lambda reading: reading.time)
        return tuple(readings if count is None else readings[-count:])

    async def _find_source(self) -> _Ring | str | None:
        if (ring := self._self_read_ring()) is not None:
            has_dates = await _has_self_read_dates(self._link)
            # A calendar that cannot be read does not rule out what was stored.
            if has_dates or (
                has_dates is None and (await self._header(ring)).valid_entries
            ):
                return ring
        if self._dimensions.demands:
            return await self._find_reset_log() or _PREVIOUS_RESET
        return None

    def _self_read_ring(self) -> _Ring | None:
        """Return the ring of self-reads, None if none are configured."""
        entries, lead = self._dimensions.self_reads, self._lead
        if not entries:
            return None
        if lead is None:
            lead = BILLING_NUMBER_LENGTH if self._dimensions.demands else 0
        length = lead + HEAD_LENGTH + self._length
        return _Ring(_SELF_READS, entries, length, lead, has_index=True)

    async def _find_reset_log(self) -> _Ring | None:
        """Return the ring of demand resets, None if it is not configured."""
        if not self._is_reset_log_known:
            try:
                log = (await read_log_dimensions(self._link)).get(_RESET_LOG)
            except RefusalError as err:
                if not is_out_of_reach(err):
                    raise
                log = None
            if log is not None and log.entries:
                if log.entry_length < _RESET_LOG_LEAD + HEAD_LENGTH + self._length:
                    raise DecodeError("ET36", 0, 0, f"{_RESET_LOG} is too short")
                self._reset_log = _Ring(
                    _RESET_LOG,
                    log.entries,
                    log.entry_length,
                    _RESET_LOG_LEAD,
                    has_index=False,
                )
            self._is_reset_log_known = True
        return self._reset_log

    async def _self_reads(
        self, registers: Sequence[Register], count: int | None
    ) -> Sequence[BillingReading]:
        if (ring := self._self_read_ring()) is None:
            return ()
        return await self._read_ring(ring, await self._header(ring), registers, count)

    async def _resets(
        self, registers: Sequence[Register], count: int | None
    ) -> Sequence[BillingReading]:
        """Read the demand resets; BT25 is a copy of the newest in ET41."""
        if not self._dimensions.demands:
            return ()
        if (ring := await self._find_reset_log()) is None:
            return await self._read_single(_PREVIOUS_RESET, registers)
        return await self._read_ring(ring, await self._header(ring), registers, count)

    async def _seasons(
        self, registers: Sequence[Register], _count: int | None
    ) -> Sequence[BillingReading]:
        """Read BT24, which may lack the counter of demand resets: the guide is silent.

        Then all registers would be found one byte too far.
        """
        found = await self._read_single(_PREVIOUS_SEASON, registers)
        if not found or not self._dimensions.demand_reset_counter:
            return found
        present: dict[str, float] = {}
        table, up = CURRENT_REGISTERS, [r for r in registers if r.key in _COUNT_UP]
        for span in spans(map(_place, up), self._link.reply_capacity, _PASSED_OVER):
            data = await self._link.read(table, span.offset, span.length)
            present |= _energies_in(TableData("BT23", data, span.offset), up)
        stored = found[0].energies
        is_right = all(0 <= stored[key] <= present[key] for key in present)
        return found if is_right else ()

    async def _header(self, ring: _Ring) -> LogHeader:
        table, length = parse_table(ring.name), _HEADER.header_length
        data = await self._link.read(table, 0, length)
        return decode_log_header(ring.name, _HEADER, data)

    async def _read_ring(
        self,
        ring: _Ring,
        header: LogHeader,
        registers: Sequence[Register],
        count: int | None,
    ) -> Sequence[BillingReading]:
        """Return the newest count of readings in a ring, newest last."""
        for _ in range(_ATTEMPTS):
            if ring.has_index and header.valid_entries:
                ring = await self._with_lead(ring, header)
            found = await self._read_entries(ring, header, registers, count)
            afterwards = await self._header(ring)
            if afterwards == header:
                return found if count is None else found[-count:]
            header = afterwards
        raise UnverifiedReplyError(f"{ring.name} changed while it was read: try again")

    async def _with_lead(self, ring: _Ring, header: LogHeader) -> _Ring:
        """Return the ring of self-reads with the lead for which the newest has a date.

        Where there is demand, a billing number comes first, as the guide has it; if
        the date is not there, it is the other way round.
        """
        if self._lead is None:
            for lead in (ring.lead, BILLING_NUMBER_LENGTH - ring.lead):
                length = lead + HEAD_LENGTH + self._length
                place = _HEADER.header_length + header.last_index * length + lead
                data = await self._link.read(parse_table(ring.name), place, TIME_LENGTH)
                if TableData(ring.name, data).event_time(0) is not None:
                    self._lead = lead
                    break
        return self._self_read_ring() or ring

    async def _read_entries(
        self,
        ring: _Ring,
        header: LogHeader,
        registers: Sequence[Register],
        count: int | None,
    ) -> Sequence[BillingReading]:
        """Read entries, without those of another configuration than the newest."""
        indices: Collection[int]
        if ring.has_index:
            indices = entry_indices(header, ring.entries, count)
        else:
            indices = range(min(header.valid_entries, ring.entries))
        stored = [
            entry
            for index in indices
            if (
                entry := await self._read_stored(
                    ring.name,
                    _HEADER.header_length + index * ring.entry_length,
                    ring.lead,
                    registers,
                )
            )
        ]
        if not ring.has_index:
            stored.sort(key=lambda entry: entry.reading.time)
        current = takewhile(
            lambda entry: entry.billing_number == stored[-1].billing_number,
            reversed(stored),
        )
        return tuple(entry.reading for entry in current)[::-1]

    async def _read_single(
        self, name: str, registers: Sequence[Register]
    ) -> Sequence[BillingReading]:
        """Read a table that has one reading."""
        entry = await self._read_stored(name, 0, 0, registers)
        return () if entry is None else (entry.reading,)

    async def _read_stored(
        self, name: str, offset: int, lead: int, registers: Sequence[Register]
    ) -> _Stored | None:
        """Read an entry that begins at an offset; None if it was never written."""
        first = offset + lead + HEAD_LENGTH
        places = [head_span(lead), *map(_place, registers)]
        head: StoredHead | None = None
        energies: dict[str, float] = {}
        for span in spans(places, self._link.reply_capacity, _PASSED_OVER):
            data = await self._link.read(
                parse_table(name), first + span.offset, span.length
            )
            part = TableData(name, data, span.offset)
            if span.offset < 0 and (head := decode_stored_head(part, lead)) is None:
                return None
            energies |= _energies_in(part, registers)
        if head is None:
            return None
        reading = BillingReading(
            source=name, time=head.time, season=head.season, energies=energies
        )
        return _Stored(reading, head.billing_number)


async def _has_self_read_dates(link: Link) -> bool | None:
    """Return whether the calendar has self-reads, None where it cannot be read."""
    try:
        dimensions = decode_calendar_dimensions(
            await link.read(_BT50, 0, CALENDAR_DIMENSIONS_LENGTH)
        )
        dates = await link.read(_BT54, 0, dimensions.dates_length)
        return decode_has_self_reads(dates, dimensions)
    except DecodeError:
        return None
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        return None


def _place(register: Register) -> Span:
    return Span(register.offset, register.length)


def _energies_in(part: TableData, registers: Sequence[Register]) -> Mapping[str, float]:
    """Return the energies within some bytes, in shown units, by key."""
    return {
        register.key: register.shown(part.int32(register.offset))
        for register in registers
        if part.has(register.offset, register.length)
    }
