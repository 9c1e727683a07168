"""What is read less often than the registers, between their polls."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
import logging
from math import inf
from typing import Final, override

from .billing import async_read_sensors
from .osgp import (
    KeyRefusedError,
    MBusDevice,
    Meter,
    MeterError,
    MeterEvent,
    NoReplyError,
    PortError,
    SlowTable,
    SystemInformation,
    Tariffs,
    TlsError,
    Value,
    is_out_of_reach,
)
from .selection import counters
from .tariffs import values_of

_LOGGER = logging.getLogger(__name__)

METER_EVENT: Final = "meter_event"
"""Key of the event entity for new entries of the event log."""
MBUS: Final = "mbus"
"""Context of the entities of M-Bus meters."""

_EVENT_PERIOD = 300.0
_MBUS_PERIOD = 900.0
_COUNTERS_PERIOD = 3600.0
_BILLING_PERIOD = 3600.0
_TARIFFS_PERIOD = 60.0
_DAY = 86400.0
_CLOCK = "clock"
_IDLE_PERIODS = {_CLOCK: 3600.0}
"""Seconds between two reads of tables that are read even if nothing uses them."""
_LINK_ERRORS: Final = (PortError, NoReplyError, KeyRefusedError, TlsError)
"""Errors that the next reading would meet as well."""
_KEPT_PERIODS = 3
"""Periods for which values are shown while the meter cannot be read. They are a period old
anyway, and a short interruption must not fill Activity with what becomes unavailable."""
_RETRY_PERIOD = 60.0
"""Seconds after which a failed read is repeated, if it is not due before."""


class SlowReading(ABC):
    """Something that is read at its own pace.

    It is always read once, to learn what the meter has; after that, only while
    something uses it. If the meter does not have it, it is not read again.
    """

    def __init__(self, name: str, period: float, idle_period: float = inf) -> None:
        """Initialize; name is for the log, period is the seconds between two reads.

        idle_period is the same while nothing uses it.
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
    def keys(self) -> AbstractSet[str]:
        """The keys that the meter has; none unless it has entities of its own."""
        return frozenset()

    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether something uses it; contexts are those of all entities.

        Nothing does unless it says so: then it is read at its idle pace.
        """
        return False

    def is_due(self, now: float, contexts: AbstractSet[str]) -> bool:
        """Return whether it is due; now is in monotonic seconds."""
        return (
            not self._is_absent
            and self._due <= now
            and (not self._is_known or self.is_used(contexts) or self._idle_due <= now)
        )

    def learn_again(self) -> None:
        """Learn again, with the next read, what the meter has."""
        self._due = -inf
        self._is_known = self._is_absent = False

    async def read(self, meter: Meter, now: float) -> None:
        """Read it and schedule the next read. Raises MeterError."""
        self._due = now + min(self.period, _RETRY_PERIOD)
        was_known = self._is_known
        try:
            has_any = await self._read(meter, anew=not was_known)
        except MeterError as err:
            is_absent = is_out_of_reach(err) and not was_known
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
        """Read it and store it; return whether the meter has it. Raises MeterError.

        With anew, what was known before may no longer hold.
        """

    @abstractmethod
    def _forget(self, *, for_good: bool) -> None:
        """Drop the values because a read failed, this time or for good."""


class SlowValues(SlowReading):
    """Values by key."""

    def __init__(self, name: str, period: float, idle_period: float = inf) -> None:
        """Start with no values known."""
        super().__init__(name, period, idle_period)
        self._kept_for = _KEPT_PERIODS * period
        self._kept_until = inf
        self._keys: frozenset[str] = frozenset()
        self.values: Mapping[str, Value | None] = {}

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """The keys of the values that the meter has reported so far."""
        return self._keys

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether an entity shows one of the values, or none are known yet."""
        return not self._keys or not self._keys.isdisjoint(contexts)

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Store the values; those that are no longer reported are None."""
        values = await self._read_values(meter)
        if values is None:
            self._forget(for_good=True)
            return False
        # What follows a dot is an attribute.
        keys = frozenset(key for key in values if "." not in key)
        self._keys = keys | (frozenset() if anew else self._keys)
        self.values = {**dict.fromkeys(self._keys), **values}
        return True

    @override
    async def read(self, meter: Meter, now: float) -> None:
        """Read the values and schedule the next read. Raises MeterError."""
        await super().read(meter, now)
        self._kept_until = now + self._kept_for

    def expire(self, now: float) -> bool:
        """Forget values that are too old; return whether there were any."""
        is_due = bool(self.values) and self._kept_until <= now
        if is_due:
            self._forget(for_good=False)
        return is_due

    @abstractmethod
    async def _read_values(self, meter: Meter) -> Mapping[str, Value | None] | None:
        """Return the values, None if the meter does not have them. Raises MeterError."""

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.values = {}
        if for_good:
            self._keys = frozenset()


class SlowTableValues(SlowValues):
    """A slow table of the meter client."""

    def __init__(self, table: SlowTable) -> None:
        """Initialize with a slow table and the period that the client advises."""
        super().__init__(table.name, table.period, _IDLE_PERIODS.get(table.name, inf))

    @override
    async def _read_values(self, meter: Meter) -> Mapping[str, Value | None] | None:
        return await meter.read_slow_table(self.name)


class SlowBilling(SlowValues):
    """The newest reading for the bill, of which a few bytes tell whether it is new."""

    def __init__(self, layout_since: Callable[[], datetime | None]) -> None:
        """Initialize; layout_since says when the layout of the registers changed."""
        super().__init__("readings for the bill", _BILLING_PERIOD)
        # They are of the past, and stay true.
        self._kept_for = inf
        self._layout_since = layout_since

    @override
    async def _read_values(self, meter: Meter) -> Mapping[str, Value | None] | None:
        return await async_read_sensors(meter, self._layout_since())


class SlowTariffs(SlowValues):
    """The tariff calendar, where it has more than one tariff."""

    def __init__(self) -> None:
        """Start with no calendar known."""
        super().__init__("tariff calendar", _TARIFFS_PERIOD)
        self.tariffs: Tariffs | None = None

    @override
    async def _read_values(self, meter: Meter) -> Mapping[str, Value | None]:
        tariffs = await meter.read_tariffs()
        has_several = tariffs is not None and len(tariffs.schedule.tiers) > 1
        self.tariffs = tariffs if has_several else None
        # Another calendar may be activated.
        self.period = _TARIFFS_PERIOD if has_several else _DAY
        return {} if self.tariffs is None else values_of(self.tariffs)

    @override
    def _forget(self, *, for_good: bool) -> None:
        super()._forget(for_good=for_good)
        self.tariffs = None


@dataclass(slots=True)
class EventMark:
    """The last entry of the event log that was told, None if there is no such mark.

    It holds until a time in monotonic seconds, and as long as somebody is told.
    """

    sequence_number: int | None = None
    until: float = -inf


class SlowEvents(SlowReading):
    """The event log: passes new entries to its subscribers.

    New are those from after the first one subscribed: nothing is told that happened
    while nobody was there. The mark is kept over reloads, so that they lose nothing.
    """

    def __init__(self, now: Callable[[], float], mark: EventMark) -> None:
        """Start with no subscribers; now returns monotonic seconds."""
        super().__init__("event log", _EVENT_PERIOD)
        self._now = now
        self._mark = mark
        self._has_log = False
        self._subscribers: set[Callable[[MeterEvent], None]] = set()

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """The key of the event entity, where the meter has a log."""
        return frozenset({METER_EVENT}) if self._has_log else frozenset()

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether there are subscribers."""
        return bool(self._subscribers)

    def subscribe(self, subscriber: Callable[[MeterEvent], None]) -> Callable[[], None]:
        """Call subscriber with each new entry, until the returned function is called."""
        self._drop_old_mark()
        self._subscribers.add(subscriber)
        return lambda: self._subscribers.discard(subscriber)

    def _drop_old_mark(self) -> None:
        """Forget the mark if nobody was there when the log was due."""
        if not self._subscribers and self._mark.until <= self._now():
            self._mark.sequence_number = None

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Pass on the entries since the mark; without one, only set it."""
        self._drop_old_mark()
        mark = self._mark
        if mark.sequence_number is None or not self._subscribers:
            events = await meter.read_events(count=1)
            newest = max((event.sequence_number for event in events), default=0)
            told = mark.sequence_number
            mark.sequence_number = newest if told is None else min(told, newest)
        else:
            for event in await meter.read_events(after=mark.sequence_number):
                mark.sequence_number = event.sequence_number
                for subscriber in tuple(self._subscribers):
                    subscriber(event)
        mark.until = self._now() + self.period
        self._has_log = True
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        """Keep the mark, so that the next read reports the entries since then."""
        if for_good:
            self._has_log = False
            self._mark.sequence_number = None


class SlowMBus(SlowReading):
    """The M-Bus meters behind the meter, by the ids of their devices."""

    def __init__(self) -> None:
        """Start with no M-Bus meters."""
        super().__init__("M-Bus meters", _MBUS_PERIOD)
        self.devices: Mapping[str, MBusDevice] = {}

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether an entity of an M-Bus meter is enabled, or none is known."""
        return MBUS in contexts or not self.devices

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Store the M-Bus meters that have a serial number."""
        self.devices = {
            f"{device.manufacturer}{device.serial_number}".lower(): device
            for device in await meter.read_mbus_devices()
            if device.serial_number
        }
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.devices = {}


class SlowCounters(SlowReading):
    """The summations that decide which registers get an entity."""

    def __init__(self, on_read: Callable[[Mapping[str, Value | None]], None]) -> None:
        """Initialize; on_read is called with the values by key."""
        super().__init__("tariff use", _COUNTERS_PERIOD, _COUNTERS_PERIOD)
        self._on_read = on_read

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Pass on the values. Raises the error of a table that cannot be read."""
        readings = await meter.read(counters(meter.registers))
        for error in readings.errors.values():
            raise error
        self._on_read(readings.values)
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        pass


class SlowSystem(SlowReading):
    """System information, which shows whether the meter was changed.

    It is read once, and again when the registers have changed.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        super().__init__("system information", inf)
        self.information: SystemInformation | None = None

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Store the system information."""
        self.information = await meter.read_system_information()
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.information = None


class SlowReadings:
    """Everything that is read slowly from one meter."""

    def __init__(
        self,
        meter: Meter,
        title: str,
        on_counters: Callable[[Mapping[str, Value | None]], None],
        *,
        now: Callable[[], float],
        event_mark: EventMark,
        layout_since: Callable[[], datetime | None],
    ) -> None:
        """Initialize the readings; title names the meter in the log.

        now returns monotonic seconds. event_mark is kept by the caller. on_counters is called with the values of the
        summations that decide which registers get an entity. layout_since says when the
        layout of its registers changed, if it ever did.
        """
        self.counters = SlowCounters(on_counters)
        self.events = SlowEvents(now, event_mark)
        self.mbus = SlowMBus()
        self.system = SlowSystem()
        self.billing = SlowBilling(layout_since)
        self.tariffs = SlowTariffs()
        self.tables = [SlowTableValues(table) for table in meter.slow_tables.values()]
        self._meter = meter
        self._title = title

    @property
    def _all(self) -> Iterable[SlowReading]:
        # What is stored depends on the layout, which system information tells.
        return (
            self.counters,
            *self.tables,
            self.mbus,
            self.events,
            self.system,
            self.billing,
            self.tariffs,
        )

    @property
    def keys(self) -> frozenset[str]:
        """The keys that the meter has."""
        return frozenset().union(*(reading.keys for reading in self._all))

    @property
    def _values(self) -> Iterable[SlowValues]:
        return (*self.tables, self.billing, self.tariffs)

    @property
    def values(self) -> Mapping[str, Value | None]:
        """The values by key; None where the meter has none now.

        Keys of tables that could not be read are missing.
        """
        return {
            key: value for each in self._values for key, value in each.values.items()
        }

    def expire(self, now: float) -> bool:
        """Forget what was not read for long; return whether there was any."""
        expired = [each for each in self._values if each.expire(now)]
        return bool(expired)

    def is_clock(self, reading: SlowReading) -> bool:
        """Return whether a reading is that of the meter's clock."""
        return reading.name == _CLOCK

    @property
    def failed(self) -> frozenset[str]:
        """The names of what could not be read when it was due."""
        return frozenset(reading.name for reading in self._all if reading.has_failed)

    def learn_again(self, *, layout_changed: bool) -> None:
        """Learn again, with the next read, what the meter has.

        Where only more is known of the same layout, that does not concern the readings,
        but for those that have registers.
        """
        for reading in self._all if layout_changed else (self.system, self.billing):
            reading.learn_again()

    def due(self, now: float, contexts: AbstractSet[str]) -> list[SlowReading]:
        """Return the readings that are due; now is in monotonic seconds."""
        return [reading for reading in self._all if reading.is_due(now, contexts)]

    async def read(self, reading: SlowReading, now: float) -> bool:
        """Perform a reading; return whether the link allows the next one.

        A failure is logged once, and once when it is over.
        """
        try:
            await reading.read(self._meter, now)
        except MeterError as err:
            if not reading.has_failed:
                _LOGGER.warning("%s: %s is missing: %s", self._title, reading.name, err)
            reading.has_failed = True
            return not isinstance(err, _LINK_ERRORS)
        if reading.has_failed:
            _LOGGER.info("%s: %s no longer fails", self._title, reading.name)
        reading.has_failed = False
        return True
