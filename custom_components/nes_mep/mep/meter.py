"""A meter: what it is, what it has, and its readings."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
import logging
from typing import Self

from .client import MepClient
from .discovery import (
    MeterIdentity,
    read_identity,
    read_interface_version,
    read_register_map,
)
from .errors import MepConnectionError, MepError, MepTimeoutError
from .packet import ReadRequest, parse_table, table_name
from .port import DEFAULT_BAUDRATE, Port, Timing
from .registers import Register, RegisterMap, locate_registers
from .security.digest import DigestSecurity
from .statistics import LinkStatistics
from .tables.clock import UTC_CLOCK_LENGTH, UtcClock, decode_utc_clock
from .tables.identity import SYSTEM_LENGTH, SystemInformation, decode_system_information
from .tables.layout import decode_registers, spans

_LOGGER = logging.getLogger(__name__)

_BT52 = parse_table("BT52")
_ET04 = parse_table("ET04")

_PASSED_OVER = 100
"""Unwanted bytes between two wanted registers that are read along: asking for the
second one by itself would take longer."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Values of registers by key, in shown units, and what could not be read.

    errors has the error of each table, by its name, whose registers are missing
    from values.
    """

    values: Mapping[str, float]
    errors: Mapping[str, MepError] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResyncResult:
    """What a resynchronisation found.

    meter_time is the meter's clock, aware and in UTC. attempts is the number of
    requests that it took, repetitions included. sequence_number_changed says
    whether the meter's sequence number was another than the one believed.
    """

    meter_time: datetime
    attempts: int
    sequence_number_changed: bool


class Meter:
    """A meter behind a port, identified, with its registers located.

    Made by Meter.open. Its link heals by itself on the next read.
    """

    def __init__(
        self, client: MepClient, identity: MeterIdentity, register_map: RegisterMap
    ) -> None:
        """Take what Meter.open has read."""
        self.identity = identity
        self._client = client
        self._has_read = False
        self._interface_version: int | None = None
        self._locate(register_map)

    @classmethod
    async def open(
        cls,
        url: str,
        key: bytes,
        *,
        baudrate: int = DEFAULT_BAUDRATE,
        timing: Timing | None = None,
    ) -> Self:
        """Open a port and read what is needed to understand the meter behind it.

        url is a device path or a serialx URL, key the 16 bytes of the MEP key, and
        timing another than the usual time limits.
        Raises MepConnectionError when the port does not open, MepTimeoutError when
        nothing answers, MepAuthenticationError when the meter refuses the key, and
        every other child of MepError.
        """
        statistics = LinkStatistics()
        port = Port(url, statistics=statistics, baudrate=baudrate, timing=timing)
        client = MepClient(port, DigestSecurity(key), statistics)
        try:
            identity = await read_identity(client)
            register_map = await read_register_map(client, identity)
        except BaseException:
            await client.close()
            raise
        return cls(client, identity, register_map)

    async def close(self) -> None:
        """Close the port for good; never raises."""
        await self._client.close()

    @property
    def statistics(self) -> LinkStatistics:
        """The counters of the link."""
        return self._client.statistics

    @property
    def register_map(self) -> RegisterMap:
        """The dimensions and selections of the register tables."""
        return self._register_map

    @property
    def registers(self) -> Mapping[str, Register]:
        """The registers that this meter reports, by key."""
        return self._registers

    async def read(self, keys: Collection[str] | None = None) -> Readings:
        """Read registers, all or those with the given keys, in the fewest requests.

        Keys that the meter does not have are left out. A table that cannot be read
        does not keep the others from being read: its error is in the answer.
        Raises the error when nothing at all could be read.
        """
        await self._learn_again_if_changed()
        chosen = self._registers.keys() if keys is None else keys
        wanted = [self._registers[key] for key in chosen if key in self._registers]
        stored = self._stored(wanted)
        values: dict[str, float] = {}
        errors: dict[str, MepError] = {}
        for table in sorted({register.table for register in stored}):
            try:
                values |= await self._read_registers(
                    table, [register for register in stored if register.table == table]
                )
            except MepError as err:
                errors[table_name(table)] = err
                if isinstance(err, MepConnectionError) or (
                    isinstance(err, MepTimeoutError) and not self._client.answering
                ):
                    break
        if errors and not values:
            raise next(iter(errors.values()))
        self._has_read = True
        return Readings(dict(_shown(wanted, values)), errors)

    async def read_clock(self) -> UtcClock:
        """Read the meter's clock, BT52. Raises MepError."""
        return decode_utc_clock(await self._client.read(_BT52, 0, UTC_CLOCK_LENGTH))

    async def read_system_information(self) -> SystemInformation:
        """Read what ET04 says about the meter. Raises MepError."""
        return decode_system_information(
            await self._client.read(_ET04, 0, SYSTEM_LENGTH)
        )

    async def read_table(
        self, table: int, offset: int = 0, count: int | None = None
    ) -> bytes:
        """Return bytes of any table as they are, fewer where it ends before.

        Without a count, all up to the end of the table. Raises MepError.
        """
        if count is not None:
            return await self._client.read(table, offset, count)
        return await self._client.read_to_end(table, offset)

    async def request(self, request: ReadRequest) -> bytes:
        """Return the table data that answers any read request. Raises MepError."""
        return await self._client.request(request)

    async def resync(self) -> ResyncResult:
        """Drop what is believed about the session and start it anew with BT52.

        The request carries a number out of the blue, so that the meter tells its
        own. Raises MepError.
        """
        requests = self.statistics.requests
        believed = self._client.forget_session()
        clock = await self.read_clock()
        return ResyncResult(
            meter_time=clock.time,
            attempts=self.statistics.requests - requests,
            sequence_number_changed=self._client.has_jumped_from(believed),
        )

    def _locate(self, register_map: RegisterMap) -> None:
        """Take dimensions and selections as the present ones."""
        self._register_map = register_map
        self._registers = locate_registers(register_map)
        self._jumps = self._client.sequence_jumps

    async def _learn_again_if_changed(self) -> None:
        """Learn the dimensions again when the meter may have changed them.

        A meter that raises its interface version (ET04.116) also makes its sequence
        number jump. The version to compare with is read after the first readings,
        which it would only delay.
        """
        jumps = self._client.sequence_jumps
        jumped = jumps != self._jumps
        if not jumped and (self._interface_version is not None or not self._has_read):
            return
        known = self._interface_version
        try:
            self._interface_version = await read_interface_version(self._client)
            if jumped and self._interface_version != known:
                _LOGGER.debug("Learning the meter's dimensions again")
                self._locate(await read_register_map(self._client, self.identity))
            self._jumps = jumps
        except MepError as err:
            _LOGGER.debug("Whether the dimensions changed is unknown: %s", err)
            self._interface_version = known

    def _stored(self, wanted: Iterable[Register]) -> list[Register]:
        """Return the registers in tables that are needed to show others."""
        keys = dict.fromkeys(
            key for register in wanted for key in register.operands or (register.key,)
        )
        return [self._registers[key] for key in keys]

    async def _read_registers(
        self, table: int, registers: list[Register]
    ) -> dict[str, float]:
        """Read registers of one table and return their shown values by key."""
        offsets = [register.offset for register in registers]
        table_length = self._register_map.length(table)
        raw: dict[int, int] = {}
        for span in spans(offsets, self._client.reply_capacity, _PASSED_OVER):
            data = await self._client.read(
                table, span.offset, span.length, table_length=table_length
            )
            raw |= decode_registers(table_name(table), data, span, offsets)
        return {
            register.key: register.shown(raw[register.offset]) for register in registers
        }


def _shown(
    registers: Iterable[Register], stored: Mapping[str, float]
) -> Iterable[tuple[str, float]]:
    """Return key and value of the registers for which everything is known."""
    for register in registers:
        operands = register.operands or (register.key,)
        if all(key in stored for key in operands):
            first, *others = (stored[key] for key in operands)
            yield register.key, first - sum(others)
