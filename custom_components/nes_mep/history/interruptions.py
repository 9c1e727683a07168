"""Detects when the meter was not read, and when it was read again."""

from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import callback

from ..osgp import HostClock
from .memory import HistoryMemory
from .spans import hour_of

_UNNOTICED: Final = timedelta(minutes=15)
"""A time without readings that counts as an interruption even if no read failed: the
computer was suspended, or its clock was set."""
_PROMPT: Final = timedelta(seconds=30)
"""A reading this close to the end of an hour counts as the reading at its end."""
_CLOCK_IS_SET_WITHIN: Final = 3600.0
"""Seconds after the start within which a computer without a battery-backed clock sets its
clock. What was read before that has wrong times."""


class InterruptionWatch:
    """Notes interruptions of the readings in the memory."""

    def __init__(
        self, memory: HistoryMemory, clock: HostClock, interval: timedelta
    ) -> None:
        """Initialize; interval is the time between two readings."""
        self._memory = memory
        self._clock = clock
        self._unnoticed = max(_UNNOTICED, 3 * interval)
        self._last_before = memory.last_reading
        self._started = clock.time()
        self._ahead: timedelta | None = None
        self._is_interrupted = True

    @callback
    def async_failed(self) -> None:
        """Record that the meter was not read, or only in part."""
        self._is_interrupted = True

    @callback
    def async_read(self) -> bool:
        """Record that everything was read; return whether that ends an interruption.

        Only those count in which an hour ended.
        """
        now, last = self._clock.now(), self._memory.last_reading
        begin = last
        if self._was_clock_set(now):
            self._is_interrupted = True
            if self._clock.time() - self._started < _CLOCK_IS_SET_WITHIN:
                begin = self._last_before or last
        if last is not None and now < last:
            # The clock is behind until it is set. If that does not happen, it was ahead.
            if self._clock.time() - self._started < _CLOCK_IS_SET_WITHIN:
                return False
            self._memory.async_interrupted((now, last))
        self._memory.async_read(now)
        was_interrupted, self._is_interrupted = self._is_interrupted, False
        if begin is None or not (was_interrupted or now - begin > self._unnoticed):
            return was_interrupted
        if hour_of(begin + _PROMPT) < hour_of(now):
            self._memory.async_interrupted((begin + _PROMPT, now))
        return True

    def _was_clock_set(self, now: datetime) -> bool:
        """Return whether the computer's clock was set since the last time."""
        ahead = now - datetime.fromtimestamp(self._clock.time(), now.tzinfo)
        before, self._ahead = self._ahead, ahead
        return before is not None and abs(ahead - before) > self._unnoticed
