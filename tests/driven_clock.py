"""A clock for tests: time passes when nothing else can happen, or when a test says so.

What waits for the clock never waits for real: as soon as the event loop has nothing to
do, time jumps to the next moment that somebody waits for. So a meter that answers at
once is never late, however slow the machine is, and one that stays silent costs no
time. All that a test serves has to be served by the same event loop.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from math import inf, nextafter
from selectors import BaseSelector, SelectorKey
from typing import Any
from weakref import WeakKeyDictionary

_PASS = 0.0001
"""The seconds that a pass of a busy event loop counts as, without an event."""


@dataclass(order=True, slots=True)
class _Alarm:
    """A moment that somebody waits for; gracious ones let bytes arrive before."""

    when: float
    number: int
    call: Callable[[], None] = field(compare=False)
    is_gracious: bool = field(compare=False)
    set_at: float = field(compare=False)
    is_cancelled: bool = field(compare=False, default=False)

    def cancel(self) -> None:
        """Wait for it no more."""
        self.is_cancelled = True


class DrivenClock:
    """Offers what the meter client's clock does, and the timers of the simulator."""

    def __init__(self) -> None:
        """Start at zero.

        grace is the real seconds in which bytes that are on their way arrive; the
        default is for the loopback. waited is the real seconds that the event loop
        spent waiting for them: what it spent otherwise, or another program had the
        processor, brings no bytes. jobs are what threads work at.
        """
        self.grace = 0.03
        self.waited = 0.0
        self.jobs: set[asyncio.Future[Any]] = set()
        self.began: datetime | None = None
        self._time = 0.0
        self._moved = timedelta()
        self._alarms: list[_Alarm] = []
        self._numbers = count()

    def now(self) -> datetime:
        """Return the real time, or what a test has made of it."""
        if self.began is None:
            return datetime.now(UTC)
        return self.began + self._moved

    def time(self) -> float:
        """Return the seconds that have passed."""
        return self._time

    def move(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self._time += seconds
        self._moved += timedelta(seconds=seconds)
        while (alarm := self.next_alarm()) and alarm.when <= self._time:
            self.ring()

    async def sleep(self, seconds: float) -> None:
        """Wait until so many seconds have passed."""
        if seconds <= 0:
            await asyncio.sleep(0)
        else:
            await self._wait(seconds, is_gracious=False)

    async def settle(self) -> None:
        """Wait until nothing can happen any more unless time passes."""
        await self._wait(0, is_gracious=True)

    @asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        """Raise TimeoutError in the body when so many seconds have passed."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as timeout:
            alarm = self._add(
                self._time + seconds, lambda: timeout.reschedule(loop.time()), True
            )
            try:
                yield
            finally:
                alarm.cancel()

    def call_at(self, when: float, call: Callable[[], None]) -> _Alarm:
        """Call a function at a time."""
        return self._add(when, call, True)

    def call_later(self, seconds: float, call: Callable[[], None]) -> _Alarm:
        """Call a function when so many seconds have passed."""
        return self.call_at(self._time + seconds, call)

    def next_alarm(self) -> _Alarm | None:
        """Return the first moment that somebody waits for."""
        while self._alarms and self._alarms[0].is_cancelled:
            heappop(self._alarms)
        return self._alarms[0] if self._alarms else None

    def ring(self) -> None:
        """Let time pass until that moment."""
        alarm = heappop(self._alarms)
        self._time = max(self._time, alarm.when)
        alarm.is_cancelled = True
        alarm.call()

    async def _wait(self, seconds: float, *, is_gracious: bool) -> None:
        """Wait for an alarm."""
        woken = asyncio.get_running_loop().create_future()

        def wake() -> None:
            # One that was cancelled may not have come to its end yet.
            if not woken.done():
                woken.set_result(None)

        alarm = self._add(self._time + seconds, wake, is_gracious)
        try:
            await woken
        finally:
            alarm.cancel()

    def _add(self, when: float, call: Callable[[], None], is_gracious: bool) -> _Alarm:
        # However short, a wait lets time pass.
        when = max(when, nextafter(self._time, inf))
        alarm = _Alarm(when, next(self._numbers), call, is_gracious, self.waited)
        heappush(self._alarms, alarm)
        return alarm


class _WatchedSelector:
    """The selector of an event loop, which drives a clock when nothing is selected."""

    def __init__(self, selector: BaseSelector, clock: DrivenClock) -> None:
        """Stand in for the loop's own selector."""
        self._selector = selector
        self._clock = clock
        self._event_at = 0.0

    def __getattr__(self, name: str) -> Any:
        """Leave everything else to the loop's own selector."""
        return getattr(self._selector, name)

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Return what happens, and ring the next alarm where nothing does."""
        alarm = self._clock.next_alarm()
        if alarm is None:
            return self._selected(timeout)
        # A loop that has something to do right now may need the time to stand still.
        is_gracious = alarm.is_gracious or timeout == 0
        quiet = self._clock.waited - max(self._event_at, alarm.set_at)
        wait = max(0.0, self._clock.grace - quiet) if is_gracious else 0.0
        if timeout is not None and timeout < wait:
            return self._selected(timeout)
        events = self._selected(wait)
        if not (events or self._clock.jobs):
            self._clock.ring()
            self._event_at = self._clock.waited
        return events

    def _selected(self, timeout: float | None) -> list[tuple[SelectorKey, int]]:
        """Return what happens, and note when."""
        events = self._selector.select(timeout)
        if events:
            self._event_at = self._clock.waited
        elif timeout is not None:
            self._clock.waited += max(timeout, _PASS)
        return events


_CLOCKS: WeakKeyDictionary[asyncio.AbstractEventLoop, DrivenClock] = WeakKeyDictionary()


def driven_clock() -> DrivenClock:
    """Return the clock that the running event loop drives."""
    loop = asyncio.get_running_loop()
    if loop not in _CLOCKS:
        _CLOCKS[loop] = clock = DrivenClock()
        run_in_executor = loop.run_in_executor

        def run(*args: Any) -> asyncio.Future[Any]:
            """Count what threads work at: they may bring something."""
            job = run_in_executor(*args)
            clock.jobs.add(job)
            job.add_done_callback(clock.jobs.discard)
            return job

        # The loop offers no other way to learn that it has nothing to do.
        selector = _WatchedSelector(loop._selector, clock)  # type: ignore[attr-defined]
        loop._selector = selector  # type: ignore[attr-defined]
        loop.run_in_executor = run  # type: ignore[method-assign, assignment]
    return _CLOCKS[loop]
