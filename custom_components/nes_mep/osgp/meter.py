"""A meter: what it is, what it has, and its readings."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
import logging
from typing import Self

from .access import Access
from .billing import BillingTables
from .discovery import MeterIdentity, read_identity, read_serial_number
from .errors import MeterError, RefusalError
from .host_clock import HOST_CLOCK, HostClock
from .interface_definition import read_energy_limit
from .key import KeyKind
from .layout import Layout, Readings
from .layout_watch import LayoutWatch
from .learning import Learned, learn
from .link import Link
from .load_profile.data_sets import LoadProfileSet, read_load_profile_sets
from .load_profile.download import REQUEST_PERIOD, LoadProfileDownload
from .mbus.tables import MBusDevice
from .refusals import is_out_of_reach
from .registers import Register, RegisterMap, Value
from .requests import ReadRequest
from .slow_table import SlowTable
from .slow_tables import SLOW_TABLES
from .statistics import LinkStatistics
from .table_contents import Plain, table_contents
from .tables.clock import UTC_CLOCK_LENGTH, UtcClock, decode_utc_clock
from .tables.events import MeterEvent
from .tables.identity import SYSTEM_LENGTH, SystemInformation, decode_system_information
from .tables.names import parse_table
from .tariffs import Tariffs
from .trace import Trace

_LOGGER = logging.getLogger(__name__)

_BT52 = parse_table("BT52")
_ET04 = parse_table("ET04")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncResult:
    """What a resynchronisation found.

    meter_time is the meter's clock, aware and in UTC, None where the key does not reach
    it. attempts is the number of requests that it took, repetitions included.
    sequence_number_changed says whether the meter's sequence number differed from the
    one expected.
    """

    meter_time: datetime | None
    attempts: int
    sequence_number_changed: bool


class Meter:
    """A meter behind a port, identified, with its registers located.

    Created by Meter.open. Its link recovers by itself on the next read.
    """

    def __init__(
        self,
        link: Link,
        identity: MeterIdentity,
        learned: Learned,
        known_as: Collection[str],
        watch: LayoutWatch,
    ) -> None:
        """Initialize with what Meter.open has read, while watch was watching."""
        self.identity = identity
        self.layouts = 0
        self._link = link
        self._known_as = known_as
        self._watch = watch
        self._layout: Layout
        self._locate(learned)

    @classmethod
    async def open(
        cls,
        access: Access,
        *,
        known_as: Collection[str] = (),
        trace: Trace | None = None,
        clock: HostClock = HOST_CLOCK,
    ) -> Self:
        """Open a port and read what is needed to understand the meter behind it.

        known_as are the serial number by which the meter is known, first, and others
        that it has: with any of these, it keeps the first. trace is where to record the
        traffic, by default a new Trace, and clock is used for all waits. Raises
        PortError when the port does not open, NoReplyError when nothing answers,
        KeyRefusedError when the meter refuses the key, TlsUnsupportedError when it
        begins no TLS session, TlsRequiredError when its optical port takes nothing else,
        and every other child of MeterError.
        """
        link = access.link(trace=trace or Trace(), clock=clock)
        link.trace.forget_tables()
        try:
            watch = await LayoutWatch.start(link)
            identity = await read_identity(link, known_as)
            learned = await learn(link, identity)
        except BaseException as err:
            if isinstance(err, MeterError):
                err.had_session = link.statistics.tls_handshakes > 0
                err.had_reply = link.has_heard
            await link.close()
            raise
        return cls(link, identity, learned, known_as, watch)

    async def close(self) -> None:
        """Close the port for good; never raises."""
        await self._link.close()

    @property
    def statistics(self) -> LinkStatistics:
        """The counters of the link."""
        return self._link.statistics

    @property
    def trace(self) -> Trace:
        """The recent traffic of the link."""
        return self._link.trace

    @property
    def sessions(self) -> int:
        """How many sessions with the meter have begun.

        A new session may be with another meter: read_serial_number tells.
        """
        return self._link.sessions

    @property
    def silences_mep(self) -> bool:
        """Whether nothing can be read at the MEP while there is a session of the link.

        That holds for the optical port of meters whose ports share a UART.
        """
        return self._link.silences_mep

    @property
    def register_map(self) -> RegisterMap:
        """The dimensions and selections of the register tables."""
        return self._layout.register_map

    @property
    def unknown(self) -> Mapping[str, MeterError]:
        """The tables that decide about registers and did not do so yet, and why.

        While there are any, the meter may have registers that are not listed.
        """
        return self._layout.unknown

    @property
    def registers(self) -> Mapping[str, Register]:
        """The registers that this meter reports, by key.

        layouts rises when it has changed the layout of its tables. Then, and when it
        tells what was unknown, this is another mapping.
        """
        return self._layout.registers

    async def read(self, keys: Collection[str] | None = None) -> Readings:
        """Read registers, all or those with the given keys, in the fewest requests.

        Keys that the meter does not have are left out. A table that cannot be read
        does not keep the others from being read: its error is in the answer.
        Raises the error when nothing at all could be read.
        """
        if self._watch.is_due:
            await self._check_layout()
        await self._layout.ask_again()
        # Where the layout changes meanwhile, registers may have been looked for in their
        # old places: whatever came of that, values or a refusal, does not count.
        try:
            readings = await self._read(keys)
        except RefusalError:
            if not (self._watch.is_due_after and await self._check_layout()):
                raise
            return await self._read(keys)
        if self._watch.is_due_after and await self._check_layout():
            return await self._read(keys)
        return readings

    async def _read(self, keys: Collection[str] | None) -> Readings:
        """Read registers at the places known so far."""
        readings = await self._layout.read(keys)
        self._watch.registers_were_read()
        return readings

    @property
    def slow_tables(self) -> Mapping[str, SlowTable]:
        """What can be read in addition to the registers, less often."""
        return SLOW_TABLES

    async def read_slow_table(self, name: str) -> Mapping[str, Value | None] | None:
        """Return the values of a slow table by key, None if the meter does not have it.

        What has not happened yet has no value, or None.

        Raises MeterError, and RefusalError when the meter refuses a table.
        """
        return await self._layout.read_slow_table(name)

    async def read_events(
        self, after: int | None = None, count: int | None = None
    ) -> tuple[MeterEvent, ...]:
        """Return events of the meter's event logs, newest last.

        Only those after a sequence number, and of these the newest count. Raises
        MeterError, and RefusalError where the meter has no event log.
        """
        return await self._layout.read_events(after, count)

    async def read_mbus_devices(self) -> tuple[MBusDevice, ...]:
        """Return the M-Bus meters behind the meter, with their newest readings.

        Raises MeterError, and RefusalError where the meter knows no M-Bus.
        """
        return await self._layout.read_mbus_devices()

    async def read_energy_limit(self) -> float | None:
        """Return the kWh (kvarh, kVAh) at which energy registers start again at 0.

        None where the meter does not say. Raises MeterError.
        """
        unit = await self._layout.known_energy_unit()
        return await read_energy_limit(self._link, unit)

    @property
    def billing(self) -> BillingTables:
        """What the meter stores for the bill, in the present layout of its tables."""
        return self._layout.billing

    async def read_tariffs(self) -> Tariffs | None:
        """Return the tariff in force and the calendar; None where none can be read.

        Raises MeterError.
        """
        return await self._layout.tariffs.read()

    async def read_load_profile_sets(self) -> tuple[LoadProfileSet, ...]:
        """Return the data sets of the load profile that the meter uses.

        Raises MeterError, and RefusalError where the meter has no load profile.
        """
        await self._layout.ask_again(at_once=True)
        return await read_load_profile_sets(
            self._link, self.identity.firmware_version, self.register_map
        )

    def load_profile(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        data_set: LoadProfileSet | int | None = None,
        period: float = REQUEST_PERIOD,
    ) -> LoadProfileDownload:
        """Return a download of recorded intervals, an asynchronous iterator.

        It yields batches, newest first, of the intervals that end after start and not
        after end (aware; None: no limit), from that data set (as it was just read, or
        its number) or from the one that records most of the energies. period is the
        average number of seconds per request of the link, polls included. Each part is
        a request of its own, so that a poll waits for one message at most. Raises
        ValueError for naive times; iterating raises MeterError, and iterating further
        continues where it stopped.
        """
        return LoadProfileDownload(
            self._link,
            self.identity,
            self.register_map,
            start=start,
            end=end,
            data_set=data_set,
            period=period,
        )

    async def read_serial_number(self) -> str:
        """Read the serial number of the meter that answers now. Raises MeterError."""
        return await read_serial_number(self._link, self._known_as)

    async def read_clock(self) -> UtcClock:
        """Read the meter's clock, BT52. Raises MeterError."""
        return decode_utc_clock(await self._link.read(_BT52, 0, UTC_CLOCK_LENGTH))

    async def read_system_information(self) -> SystemInformation:
        """Read what ET04 says about the meter. Raises MeterError."""
        return decode_system_information(await self._link.read(_ET04, 0, SYSTEM_LENGTH))

    async def read_table(
        self, table: int, offset: int = 0, count: int | None = None
    ) -> bytes:
        """Return raw bytes of any table, fewer if it ends before.

        Without a count, all up to the end of the table. Raises MeterError.
        """
        if count is not None:
            return await self._link.read_within(table, offset, count)
        return await self._link.read_to_end(table, offset)

    def table_contents(self, table: int, offset: int, data: bytes) -> Plain:
        """Return what bytes of a table mean as plain values, None if unknown."""
        return table_contents(table, offset, data, self.register_map, self.registers)

    async def request(self, request: ReadRequest) -> bytes:
        """Return the table data that answers any read request. Raises MeterError."""
        return await self._link.request(request)

    async def resync(self) -> ResyncResult:
        """Drop the session or sequence number and start a new one by reading BT52.

        The request carries a random number, so that the meter returns its own. Where the
        clock is out of reach of the key, its refusal comes from the new session as well.
        Raises MeterError.
        """
        requests, restarts = self.statistics.requests, self._link.restarts
        self._link.forget_session()
        meter_time = None
        try:
            meter_time = (await self.read_clock()).time
        except RefusalError as err:
            if not is_out_of_reach(err):
                raise
        return ResyncResult(
            meter_time=meter_time,
            attempts=self.statistics.requests - requests,
            sequence_number_changed=self._link.restarts != restarts,
        )

    async def probe_tls(self, key: bytes) -> KeyKind | None:
        """Return as which kind of key the meter accepts a key in TLS, None for no TLS.

        The security mode stays the one that the meter was opened in.
        """
        return await self._link.probe_tls(key)

    def _locate(self, learned: Learned) -> None:
        """Use this new layout of the tables from now on."""
        self.layouts += 1
        self._layout = Layout(self._link, self.identity, learned)

    async def _check_layout(self) -> bool:
        """Learn the tables' layout again if it may have changed; return whether it did.

        Raises MeterError; then it is checked again.
        """
        look = await self._watch.look()
        if look.has_changed:
            _LOGGER.debug("Learning the layout of the meter's tables again")
            self.trace.forget_tables()
            self.identity = await read_identity(self._link, self._known_as)
            self._locate(await learn(self._link, self.identity))
        self._watch.accept(look)
        return look.has_changed
