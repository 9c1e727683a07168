"""Everything that is read slowly from one meter."""

from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from datetime import datetime
import logging
from typing import Final

from ..link.storage import MeterStorage
from ..osgp import (
    KeyRefusedError,
    Meter,
    MeterError,
    NoReplyError,
    PortError,
    TlsError,
    TlsRequiredError,
    Value,
)
from .billing import SlowBilling
from .events import SlowEvents
from .mbus import SlowMBus
from .reading import SlowReading, SlowValues
from .registers import SlowCounters, SlowSystem
from .tables import CLOCK, SlowTableValues
from .tariffs import SlowTariffs

_LOGGER = logging.getLogger(__package__)

_LINK_ERRORS: Final = (
    PortError,
    NoReplyError,
    KeyRefusedError,
    TlsError,
    TlsRequiredError,
)
"""Errors that the next reading would meet as well."""


class SlowReadings:
    """Everything that is read slowly from one meter."""

    def __init__(
        self,
        meter: Meter,
        title: str,
        on_counters: Callable[[Mapping[str, Value | None]], None],
        *,
        now: Callable[[], float],
        storage: MeterStorage,
        layout_since: Callable[[], datetime | None],
    ) -> None:
        """Initialize the readings; title names the meter in the log.

        now returns monotonic seconds. on_counters is called with the values of the
        summations that decide which registers get an entity. layout_since says when the
        layout of its registers changed, if it ever did.
        """
        self.counters = SlowCounters(on_counters)
        self.events = SlowEvents(now, storage)
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
        return reading.name == CLOCK

    @property
    def has_no_clock(self) -> bool:
        """Whether the meter's clock is out of reach of the key."""
        return any(self.is_clock(each) and each.is_absent for each in self.tables)

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
