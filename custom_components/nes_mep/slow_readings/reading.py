"""What is read slowly: when it is due, and the values that it has."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set as AbstractSet
import logging
from math import inf
from typing import override

from ..osgp import Meter, MeterError, Value, is_out_of_reach

_LOGGER = logging.getLogger(__package__)

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
    def is_absent(self) -> bool:
        """Whether the meter does not have it, or never shows it to the key."""
        return self._is_absent

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
