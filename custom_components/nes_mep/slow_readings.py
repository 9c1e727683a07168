"""What is read at a slower pace than the registers, in between their polls."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
import logging
from math import inf
from typing import Final, override

from .osgp import (
    MBusDevice,
    Meter,
    MeterError,
    MeterEvent,
    NoReplyError,
    PortError,
    RefusalError,
    SlowTable,
    SystemInformation,
    Value,
)

_LOGGER = logging.getLogger(__name__)

METER_EVENT: Final = "meter_event"
"""Key of the entity that tells about new entries of the event log."""
MBUS: Final = "mbus"
"""Context of the entities of M-Bus meters."""

_EVENT_PERIOD = 300.0
_MBUS_PERIOD = 900.0
_CLOCK = "clock"
_IDLE_PERIODS = {_CLOCK: 3600.0}
"""Seconds between two reads of tables that are read even if nothing uses them."""
_RETRY_PERIOD = 60.0
"""Seconds after which what failed is asked for again, if it is not due before."""


class SlowReading(ABC):
    """Something that is read at a pace of its own.

    It is read once in any case, to learn what the meter has; after that only while
    something uses it. It is not read again where the meter turns out not to have it.
    """

    def __init__(self, name: str, period: float, idle_period: float = inf) -> None:
        """Read under a name for the log, with so many seconds between two reads.

        There is another number of them while nothing uses it.
        """
        self.name = name
        self.period = period
        self.idle_period = idle_period
        self.has_failed = False
        self._due = -inf
        self._idle_due = inf
        self._is_known = False
        self._is_absent = False

    @property
    @abstractmethod
    def keys(self) -> AbstractSet[str]:
        """The keys of what the meter has of it."""

    @abstractmethod
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether an entity uses it; contexts are those of all entities."""

    def is_due(self, now: float, contexts: AbstractSet[str]) -> bool:
        """Return whether to read it at a time, in monotonic seconds."""
        return (
            not self._is_absent
            and self._due <= now
            and (not self._is_known or self.is_used(contexts) or self._idle_due <= now)
        )

    def learn_again(self) -> None:
        """Ask the meter anew what it has."""
        self._due = -inf
        self._is_known = self._is_absent = False

    async def read(self, meter: Meter, now: float) -> None:
        """Read it and set when to do so again. Raises MeterError."""
        self._due = now + min(self.period, _RETRY_PERIOD)
        was_known = self._is_known
        try:
            has_any = await self._read(meter, anew=not was_known)
        except MeterError as err:
            is_absent = isinstance(err, RefusalError) and not was_known
            self._forget(for_good=is_absent)
            if not is_absent:
                raise
            _LOGGER.debug("The meter has no %s: %s", self.name, err)
            has_any = False
        self._due = now + self.period
        self._idle_due = now + self.idle_period
        self._is_known = True
        self._is_absent = not has_any and not was_known

    @abstractmethod
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Read it and keep it; return whether the meter has it. Raises MeterError.

        anew says that what was known about the meter before may not hold any more.
        """

    @abstractmethod
    def _forget(self, *, for_good: bool) -> None:
        """Forget what was read, as it could not be read, this time or for good."""


class SlowValues(SlowReading):
    """A slow table of the meter client: values by key."""

    def __init__(self, table: SlowTable) -> None:
        """Read a slow table as often as the client advises."""
        super().__init__(table.name, table.period, _IDLE_PERIODS.get(table.name, inf))
        self._keys: frozenset[str] = frozenset()
        self.values: Mapping[str, Value | None] = {}

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """The keys of the values that the meter has reported so far."""
        return self._keys

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether an entity shows one of the values, or none came so far."""
        return not self._keys or not self._keys.isdisjoint(contexts)

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Keep the values; what was there before and is not now is unknown."""
        values = await meter.read_slow_table(self.name)
        if values is None:
            return False
        self._keys = frozenset(values) | (frozenset() if anew else self._keys)
        self.values = {**dict.fromkeys(self._keys), **values}
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.values = {}
        if for_good:
            self._keys = frozenset()


class SlowEvents(SlowReading):
    """The event log: tells its subscribers about new entries."""

    def __init__(self) -> None:
        """Begin with no subscribers."""
        super().__init__("event log", _EVENT_PERIOD)
        self._subscribers: set[Callable[[MeterEvent], None]] = set()
        self._newest: int | None = None

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """The key of the event entity, where the meter has a log."""
        return frozenset() if self._newest is None else frozenset({METER_EVENT})

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether anybody wants to know."""
        return bool(self._subscribers)

    def subscribe(self, subscriber: Callable[[MeterEvent], None]) -> Callable[[], None]:
        """Call subscriber with each new entry, until the returned function is called."""
        self._subscribers.add(subscriber)
        return lambda: self._subscribers.discard(subscriber)

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Tell about the entries since the last read; the first read only sets a mark."""
        if self._newest is None:
            events = await meter.read_events(count=1)
            self._newest = max((event.sequence_number for event in events), default=0)
            return True
        for event in await meter.read_events(after=self._newest):
            self._newest = event.sequence_number
            for subscriber in tuple(self._subscribers):
                subscriber(event)
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        """Keep the mark: what happens meanwhile is told as soon as the log is read."""
        if for_good:
            self._newest = None


class SlowMBus(SlowReading):
    """The M-Bus meters behind the meter, by the ids of their devices."""

    def __init__(self) -> None:
        """Begin without M-Bus meters."""
        super().__init__("M-Bus meters", _MBUS_PERIOD)
        self.devices: Mapping[str, MBusDevice] = {}

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """No keys: M-Bus meters have entities of their own."""
        return frozenset()

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether an entity of an M-Bus meter is enabled, or the first may come."""
        return MBUS in contexts or not self.devices

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Keep the M-Bus meters that have told who they are."""
        self.devices = {
            f"{device.manufacturer}{device.serial_number}".lower(): device
            for device in await meter.read_mbus_devices()
            if device.serial_number
        }
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.devices = {}


class SlowSystem(SlowReading):
    """What says whether the meter was changed: read only to learn what it has."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        super().__init__("system information", inf)
        self.information: SystemInformation | None = None

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """No keys: nothing shows it."""
        return frozenset()

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return False."""
        return False

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Keep it."""
        self.information = await meter.read_system_information()
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.information = None


class SlowReadings:
    """All that is read slowly from one meter."""

    def __init__(self, meter: Meter, title: str) -> None:
        """Prepare to read; title names the meter in the log."""
        self.events = SlowEvents()
        self.mbus = SlowMBus()
        self.system = SlowSystem()
        self.tables = [SlowValues(table) for table in meter.slow_tables.values()]
        self._meter = meter
        self._title = title

    @property
    def _all(self) -> Iterable[SlowReading]:
        return (*self.tables, self.mbus, self.events, self.system)

    @property
    def keys(self) -> frozenset[str]:
        """The keys of what the meter has."""
        return frozenset().union(*(reading.keys for reading in self._all))

    @property
    def values(self) -> Mapping[str, Value | None]:
        """The values of the tables by key; None where the meter has none now.

        Keys of tables that could not be read are missing.
        """
        return {
            key: value for table in self.tables for key, value in table.values.items()
        }

    def is_clock(self, reading: SlowReading) -> bool:
        """Return whether one of them is the meter's clock."""
        return reading.name == _CLOCK

    @property
    def failed(self) -> frozenset[str]:
        """The names of what could not be read when it was due."""
        return frozenset(reading.name for reading in self._all if reading.has_failed)

    def learn_again(self) -> None:
        """Ask the meter anew what it has."""
        for reading in self._all:
            reading.learn_again()

    def due(self, now: float, contexts: AbstractSet[str]) -> list[SlowReading]:
        """Return what is to be read now, in monotonic seconds."""
        return [reading for reading in self._all if reading.is_due(now, contexts)]

    async def read(self, reading: SlowReading, now: float) -> bool:
        """Read one of them; return whether the link lets the next one be tried.

        One that fails is logged once, and once when that is over.
        """
        try:
            await reading.read(self._meter, now)
        except MeterError as err:
            if not reading.has_failed:
                _LOGGER.warning("%s: %s is missing: %s", self._title, reading.name, err)
            reading.has_failed = True
            return not isinstance(err, PortError | NoReplyError)
        if reading.has_failed:
            _LOGGER.info("%s: %s no longer fails", self._title, reading.name)
        reading.has_failed = False
        return True
