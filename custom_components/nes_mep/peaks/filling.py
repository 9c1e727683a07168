"""When the averages are replaced by those of the load profile."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..osgp import HostClock, LoadProfileSet, Meter, MeterError, is_out_of_reach
from .intervals import recorded, start_of
from .memory import PeakMemory
from .profile import (
    DEFAULT_INTERVAL,
    async_read_intervals,
    newest_end,
    suggested_interval,
    usable_set,
)
from .rules import month_start
from .tracker import ENERGIES, Peaks

_LOGGER = logging.getLogger(__name__)

_FIRST_AFTER: Final = 120.0
"""Seconds after the start before which the load profile is left alone: what else is read
at the start comes first."""
_RECORDED_AFTER: Final = timedelta(seconds=30)
"""When the meter has recorded an interval that has ended."""
_RETRY_PAUSE: Final = 300.0
_PATIENCE: Final = 3
"""Failures after which averages go without what the load profile would say of them."""


class Filling:
    """Reads from the load profile what ended since it was read last.

    That is once an interval, and after a start everything since then, at the most the
    present month. It is done only for the directions that an enabled entity shows.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        meter: Meter,
        peaks: Peaks,
        memory: PeakMemory,
        clock: HostClock,
        *,
        shown: Callable[[], Iterable[str]],
        layout_since: Callable[[], datetime | None],
        on_change: Callable[[], None],
    ) -> None:
        """Initialize; nothing is read before async_start.

        shown returns the directions that an enabled entity shows. on_change is called
        when something was read.
        """
        self._hass = hass
        self._entry = entry
        self._meter = meter
        self._peaks = peaks
        self._memory = memory
        self._clock = clock
        self._shown = shown
        self._layout_since = layout_since
        self._on_change = on_change
        self._due = clock.time() + _FIRST_AFTER
        self._failures = 0
        self._looked_at: datetime | None = None
        self._layouts_without: int | None = None
        self._task: asyncio.Task[None] | None = None

    @callback
    def async_start(
        self,
        async_add_listener: Callable[[CALLBACK_TYPE], CALLBACK_TYPE],
        is_read: Callable[[], bool],
    ) -> None:
        """Read in the background until the entry is unloaded.

        async_add_listener calls its argument after each poll, and is_read says whether
        the poll has read the meter.
        """

        @callback
        def on_poll() -> None:
            if is_read():
                self._async_polled()

        self._entry.async_on_unload(self._memory.async_save)
        # Before the meter is closed, so that no failure is reported.
        self._entry.async_on_unload(self._async_stop)
        self._entry.async_on_unload(async_add_listener(on_poll))

    @callback
    def _async_stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    @callback
    def _async_polled(self) -> None:
        """Start to read if something is due."""
        now = self._peaks.meter_time
        is_busy = self._task is not None and not self._task.done()
        if now is None or is_busy or self._clock.time() < self._due:
            return
        if self._layouts_without == self._meter.layouts:
            return
        interval = self._peaks.interval or DEFAULT_INTERVAL
        until = start_of(now - _RECORDED_AFTER, interval)
        if self._looked_at == until:
            return
        keys = frozenset(ENERGIES[direction] for direction in self._shown())
        if keys:
            self._task = self._entry.async_create_background_task(
                self._hass, self._async_fill(keys, until), f"{self._entry.title} peaks"
            )

    async def _async_fill(self, keys: frozenset[str], until: datetime) -> None:
        """Read what is due; what fails is tried again later."""
        layouts = self._meter.layouts
        try:
            await self._async_read(keys, until)
        except MeterError as err:
            _LOGGER.debug("%s: peaks are not filled: %s", self._entry.title, err)
            if not is_out_of_reach(err):
                self._due = self._clock.time() + _RETRY_PAUSE
                self._failures += 1
                if self._peaks.interval is None and self._failures >= _PATIENCE:
                    self._async_suggest((), keys)
                return
            self._layouts_without = layouts
            self._async_suggest((), keys)
        self._failures = 0
        self._looked_at = until
        self._on_change()

    @callback
    def _async_suggest(
        self, sets: Iterable[LoadProfileSet], keys: frozenset[str]
    ) -> None:
        suggested = suggested_interval(sets, keys)
        if suggested != self._memory.profile_interval:
            self._peaks.async_suggest(suggested)

    async def _async_read(self, keys: frozenset[str], until: datetime) -> None:
        """Read the load profile up to a boundary. Raises MeterError."""
        sets = await self._meter.read_load_profile_sets()
        self._async_suggest(sets, keys)
        interval = self._peaks.interval
        assert interval is not None
        data_set = usable_set(sets, keys, interval)
        if data_set is None:
            self._layouts_without = self._meter.layouts
            return
        until = start_of(until, interval)
        found = keys & set(data_set.keys)
        after = min(self._since(key, until) for key in found)
        if after >= until:
            return
        _LOGGER.debug("%s: reading the load profile since %s", self._entry.title, after)
        intervals = await async_read_intervals(
            self._meter, data_set, after, until, self._clock
        )
        for key in found:
            self._memory.async_add(key, recorded(intervals, key, interval))
            if newest := newest_end(intervals, key):
                self._memory.asked[key] = start_of(newest, interval)

    def _since(self, key: str, until: datetime) -> datetime:
        """Return after which time readings of a register are wanted.

        What was recorded in another layout of the registers cannot be understood.
        """
        month = month_start(until, dt_util.get_default_time_zone())
        # The reading at its start belongs to the month.
        since = month - timedelta.resolution
        if key in self._memory.asked:
            since = max(since, self._memory.asked[key])
        if changed := self._layout_since():
            since = max(since, changed)
        return since
