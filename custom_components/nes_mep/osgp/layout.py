"""The present layout of a meter's tables: where its registers are, and reading by it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from .billing import BillingTables, energy_registers
from .discovery import MeterIdentity
from .errors import MeterError, NoReplyError, PortError
from .event_log import EventLogs, read_event_logs, read_events
from .learning import Learned, learn
from .link import Link
from .mbus.reading import ExtendedLog, read_device_dimensions, read_mbus_devices
from .mbus.tables import DeviceDimensions, MBusDevice
from .register_tables import RegisterTables
from .registers import Register, RegisterMap, Value, locate_registers
from .slow_table import Reader, SlowTableSource
from .slow_tables import SLOW_TABLES
from .tables.events import MeterEvent
from .tables.names import table_name
from .tariffs import TariffTables

_LONGEST_PAUSE = 900.0
"""Seconds after which a meter is asked again, at the latest, what it did not tell."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Values of registers by key, in shown units, and what could not be read.

    A register that was read and has no value, such as the time of a demand that has not
    occurred, is None. One that the end of its table cuts off is missing. errors has the
    error of each table, by its name, that costs values: the registers are in it, or it
    decides what they mean. times says when each register that was read arrived, in
    monotonic seconds of the clock.
    """

    values: Mapping[str, Value | None]
    errors: Mapping[str, MeterError] = field(default_factory=dict)
    times: Mapping[str, float] = field(default_factory=dict, compare=False)


class Layout:
    """What is where in the tables of a meter, as long as it does not change them.

    What is learned of further tables on the way is kept with it. billing and tariffs
    read what the meter stores for the bill, and its tariff calendar.
    """

    def __init__(self, link: Link, identity: MeterIdentity, learned: Learned) -> None:
        """Initialize with what was learned of the register tables."""
        self._link = link
        self._identity = identity
        self._begun_at = link.clock.time()
        self._tables = RegisterTables(link)
        self._readers: dict[str, Reader | None] = {}
        self._slow_source = SlowTableSource(link, identity, learned.facts.phases)
        self._event_logs: EventLogs | None = None
        self._device_dimensions: DeviceDimensions | None = None
        self._extended_log = ExtendedLog(identity.firmware_version)
        self._use(learned)
        self.billing = BillingTables(
            link, self.register_map.dimensions, self._known_energies
        )
        self.tariffs = TariffTables(link)

    @property
    def register_map(self) -> RegisterMap:
        """The dimensions and selections of the register tables."""
        return self._learned.facts

    @property
    def unknown(self) -> Mapping[str, MeterError]:
        """The tables that decide about registers and did not do so yet, and why."""
        return self._learned.unknown

    @property
    def registers(self) -> Mapping[str, Register]:
        """The registers by key; another mapping when more is known."""
        return self._registers

    def _use(self, learned: Learned) -> None:
        """Use what is known of the register tables."""
        self._learned = learned
        self._registers = locate_registers(learned.facts)
        now = self._link.clock.time()
        # Soon at first, then ever more slowly.
        pause = min((now - self._begun_at) / 4, _LONGEST_PAUSE)
        self._ask_again_at = now + pause

    async def ask_again(self, *, at_once: bool = False) -> None:
        """Ask for what the meter did not tell so far, if that is due or wanted at once.

        Raises MeterError if the link does not work.
        """
        before = self._learned
        if not before.unknown:
            return
        if not at_once and self._link.clock.time() < self._ask_again_at:
            return
        learned = await learn(self._link, self._identity, before.facts)
        # Somebody else may have asked meanwhile.
        if self._learned is before:
            self._use(learned)

    async def known_energy_unit(self) -> int:
        """Return the unit of energies in Wh, once the meter has told it.

        Raises MeterError.
        """
        await self.ask_again(at_once=True)
        if (unit := self.register_map.energy_unit) is None:
            raise next(iter(self.unknown.values()))
        return unit

    async def _known_energies(self) -> list[Register]:
        """Return the registers of energies, once the meter has told their unit.

        Raises MeterError.
        """
        await self.ask_again(at_once=True)
        energies = energy_registers(self._registers)
        if not energies and self.unknown:
            raise next(iter(self.unknown.values()))
        return energies

    async def read(self, keys: Collection[str] | None) -> Readings:
        """Read registers, all or those with the given keys: see Meter.read."""
        chosen = self._registers.keys() if keys is None else keys
        wanted = [self._registers[key] for key in chosen if key in self._registers]
        stored = self._stored(wanted)
        values: dict[str, Value | None] = {}
        errors: dict[str, MeterError] = {}
        times: dict[str, float] = {}
        for table in sorted({register.table for register in stored}):
            try:
                reading = await self._tables.read(
                    table,
                    self.register_map.length(table),
                    [register for register in stored if register.table == table],
                )
                values |= reading.values
                times |= dict.fromkeys(reading.values, self._link.clock.time())
                if reading.error is not None:
                    errors[table_name(table)] = reading.error
            except MeterError as err:
                errors[table_name(table)] = err
                if isinstance(err, PortError) or (
                    isinstance(err, NoReplyError) and not self._link.is_answering
                ):
                    break
        errors |= self.unknown
        if errors and not values:
            raise next(iter(errors.values()))
        return Readings(dict(_with_differences(wanted, values)), errors, times)

    def _stored(self, wanted: Iterable[Register]) -> list[Register]:
        """Return the registers in tables that are needed for the wanted ones.

        Those whose multiplier is unknown are left out.
        """
        keys = dict.fromkeys(
            key for register in wanted for key in register.operands or (register.key,)
        )
        registers = (self._registers[key] for key in keys)
        return [each for each in registers if each.multiplier is not None]

    async def read_slow_table(self, name: str) -> Mapping[str, Value | None] | None:
        """Return the values of a slow table by key: see Meter.read_slow_table."""
        if name not in self._readers:
            self._readers[name] = await SLOW_TABLES[name].prepare(self._slow_source)
        reader = self._readers[name]
        return None if reader is None else await reader()

    async def read_events(
        self, after: int | None, count: int | None
    ) -> tuple[MeterEvent, ...]:
        """Return events of the meter's event logs: see Meter.read_events."""
        if self._event_logs is None:
            self._event_logs = await read_event_logs(self._link, self._identity)
        return await read_events(self._link, self._event_logs, after, count)

    async def read_mbus_devices(self) -> tuple[MBusDevice, ...]:
        """Return the M-Bus meters behind the meter: see Meter.read_mbus_devices."""
        if self._device_dimensions is None:
            self._device_dimensions = await read_device_dimensions(self._link)
        return await read_mbus_devices(
            self._link, self._device_dimensions, self._extended_log
        )


def _with_differences(
    wanted: Iterable[Register], stored: Mapping[str, Value | None]
) -> Iterator[tuple[str, Value | None]]:
    """Return key and value of the wanted registers that were read."""
    for register in wanted:
        if register.operands is None:
            if register.key in stored:
                yield register.key, stored[register.key]
            continue
        first, second = (stored.get(key) for key in register.operands)
        if isinstance(first, int) and isinstance(second, int):
            yield register.key, first - second
