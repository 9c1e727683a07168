"""When the history of the energy entities is imported from the load profile."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
import logging
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback

from ..osgp import HostClock, MeterError, is_out_of_reach
from .importer import HistoryImporter, Plan
from .interruptions import InterruptionWatch
from .memory import HistoryMemory
from .recorder import is_recording
from .result import (
    ExcludedError,
    HistoryImport,
    NoLoadProfileError,
    NoRecorderError,
    NothingRecordedError,
)
from .spans import EVER, Spans, hour_of

_LOGGER = logging.getLogger(__name__)

_COMPILED_AFTER: Final = timedelta(minutes=10)
"""An hour is written at the earliest this long after its end. The recorder compiles the
row of an hour some seconds after it, and fails for all entities if one exists
already."""

_LOOK_DELAY: Final = 5.0
"""Seconds until what the recorder has just announced can be read."""
_LOOK_FOR: Final = timedelta(hours=1)
"""How long to wait for the first row of entities without statistics."""

_WRONG_CLOCK: Final = timedelta(minutes=1)
"""Nothing is imported automatically while the meter's clock is off by more."""


class HistoryState(StrEnum):
    """How far the import of the history is."""

    WAITING = "waiting"
    """For statistics, for the meter's clock, or for the action."""
    IMPORTING = "importing"
    COMPLETE = "complete"
    """Nothing is missing that the load profile has."""
    NOTHING_TO_IMPORT = "nothing_to_import"
    """There is no load profile, or no recorder."""
    PAUSED = "paused"
    """An import was interrupted and will continue."""


class History:
    """Imports the history of one meter's entities.

    It imports automatically what precedes the first statistics, once these were
    compiled, and the missing hours after each interruption. A span that was checked is
    not checked again.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        importer: HistoryImporter,
        memory: HistoryMemory,
        clock: HostClock,
        *,
        on_change: Callable[[], None],
        on_drift: Callable[[float], None],
    ) -> None:
        """Initialize; nothing is imported before async_start or async_import.

        on_change is called when the state has changed, on_drift with the seconds that
        the meter's clock is ahead, when it was read.
        """
        self._hass = hass
        self._entry = entry
        self._title = entry.title
        self._importer = importer
        self._memory = memory
        self._clock = clock
        self._on_change = on_change
        self._on_drift = on_drift
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._interrupted_at: datetime | None = None
        self._looked_until: datetime | None = None
        self._is_read_whole = False
        self._listeners: list[Callable[[], None]] = []
        try:
            self._state = HistoryState(memory.state or "")
        except ValueError:
            self._state = HistoryState.WAITING
        if self._state is HistoryState.IMPORTING:
            self._state = HistoryState.PAUSED

    @property
    def state(self) -> HistoryState:
        """How far the import is."""
        return self._state

    @property
    def progress(self) -> int | None:
        """The percentage of the newest import that is done, None if there is none."""
        return self._importer.progress

    @property
    def imported_hours(self) -> dict[str, Spans]:
        """The hours whose rows were imported, by key of the entity."""
        return {
            key: each.imported
            for key, each in self._memory.entities.items()
            if each.imported
        }

    @callback
    def async_add_import_listener(self, listener: Callable[[], None]) -> CALLBACK_TYPE:
        """Call a listener after each import that has written rows."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    @callback
    def async_start(
        self,
        async_add_listener: Callable[[CALLBACK_TYPE], CALLBACK_TYPE],
        is_read_whole: Callable[[], bool],
        interval: timedelta,
        *,
        is_automatic: bool,
    ) -> None:
        """Record interruptions and import automatically until the entry is unloaded.

        async_add_listener calls its argument after each poll, and is_read_whole says
        whether the last one was complete; there is one each interval.
        """
        watch = InterruptionWatch(self._memory, self._clock, interval)

        @callback
        def on_poll() -> None:
            self._is_read_whole = is_read_whole()
            if not self._is_read_whole:
                watch.async_failed()
            elif watch.async_read():
                self._interrupted_at = self._clock.now()

        on_poll()
        self._interrupted_at = self._clock.now()
        self._entry.async_on_unload(async_add_listener(on_poll))
        self._entry.async_on_unload(self._memory.async_save)
        if is_automatic:
            self._entry.async_on_unload(
                self._hass.bus.async_listen(
                    EVENT_RECORDER_5MIN_STATISTICS_GENERATED, self._async_on_statistics
                )
            )
        # Before the meter is closed, so that no failure is reported.
        self._entry.async_on_unload(self._async_stop)

    @callback
    def _async_on_statistics(self, _event: Event) -> None:
        """Look for missing hours if that is due.

        It is after an interruption, and once an hour: statistics may have been deleted.
        """
        since = self._interrupted_at
        # The hours before the one in which the interruption ended must be compiled.
        is_due = (
            self._looked_until != self._last_hour_end
            if since is None
            else self._clock.now() >= hour_of(since) + _COMPILED_AFTER
        )
        if is_due and self._is_read_whole and not self._turn.locked():
            self._task = self._entry.async_create_background_task(
                self._hass, self.async_look_through(), f"{self._title} history"
            )

    @callback
    def _async_stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def async_look_through(self) -> None:
        """Import what is missing since the last check, and log the result."""
        if not is_recording(self._hass):
            self._interrupted_at = None
            self._show(HistoryState.NOTHING_TO_IMPORT)
            return
        await self._clock.sleep(_LOOK_DELAY)
        since = self._interrupted_at
        try:
            async with self._turn:
                is_done = await self._async_look_through()
        except MeterError as err:
            if is_done := is_out_of_reach(err):
                _LOGGER.warning(
                    "%s: the history cannot be imported: %s", self._title, err
                )
                self._show(HistoryState.NOTHING_TO_IMPORT)
            else:
                # It goes on after the next statistics, if the meter answers.
                _LOGGER.info("%s: the history was not imported: %s", self._title, err)
        if is_done and self._interrupted_at == since:
            self._interrupted_at = None

    async def _async_look_through(self) -> bool:
        """Import what is missing since the last check.

        Return whether all entities were checked, and none still waits for statistics,
        unless it has waited long enough.
        """
        await self._async_survey()
        end = self._looked_until = self._last_hour_end
        plan = {
            key: planned
            for key, planned in (await self._importer.async_plan(end)).items()
            if planned.is_back
        }
        waits = not self._importer.subjects.keys() <= plan.keys()
        if waits and not self._has_waited:
            # Means are told by the intervals of readings, which are read once.
            plan = self._importer.without_early_means(plan)
        state = HistoryState.WAITING if waits else HistoryState.COMPLETE
        if not any(each.spans for each in plan.values()):
            if self._state is HistoryState.NOTHING_TO_IMPORT:
                state = self._state
        else:
            drift = await self._async_read_drift()
            if abs(drift) > _WRONG_CLOCK:
                self._show(HistoryState.WAITING)
                return False
            try:
                done = await self._async_import(plan, drift)
            except NoLoadProfileError:
                _LOGGER.debug("%s has no usable load profile", self._title)
                state = HistoryState.NOTHING_TO_IMPORT
            else:
                _LOGGER.info(
                    "%s: %s hours of history were imported from the load profile",
                    self._title,
                    done.hours_written,
                )
                if done.lost:
                    return False
        for key in plan:
            self._memory.of(key).checked = ((EVER, end),)
        self._show(state)
        return not waits or self._has_waited

    async def _async_survey(self) -> None:
        """Find past times in which Home Assistant was off, once after an update."""
        if not self._memory.is_survey_due:
            return
        hours = await self._importer.async_survey()
        self._memory.is_survey_due = False
        self._memory.async_save()
        if hours:
            _LOGGER.info(
                "%s: in %s hours of the past nothing was recorded, or not to their end; "
                "they are compared with the load profile",
                self._title,
                hours,
            )

    async def async_import(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> HistoryImport:
        """Import what is missing in a span, or at all, and return what was done.

        Raises MeterError if the meter cannot be read, NoLoadProfileError if it has no
        readings of the entities, NothingRecordedError if there are no statistics yet,
        and NoRecorderError or ExcludedError if there will be none.
        """
        if not is_recording(self._hass):
            raise NoRecorderError
        if not self._importer.subjects and self._importer.excluded:
            raise ExcludedError
        async with self._turn:
            last = self._last_hour_end
            until = last if end is None else min(last, hour_of(end))
            since = EVER if start is None else hour_of(start)
            plan = await self._importer.async_plan(until, (since, until))
            if not plan:
                raise NothingRecordedError
            before = self._state
            done = await self._async_import(plan, await self._async_read_drift())
            self._show(HistoryState.COMPLETE if since == EVER else before)
            return done

    async def _async_import(self, plan: Plan, drift: timedelta) -> HistoryImport:
        """Import what a plan says, and tell those who listen."""
        before = self._state
        self._show(HistoryState.IMPORTING)
        try:
            done = await self._importer.async_import(plan, drift)
        except NoLoadProfileError:
            self._show(before)
            raise
        except BaseException:
            self._show(HistoryState.PAUSED)
            raise
        if done.hours_written:
            self._memory.last_import = self._clock.now()
            for listener in tuple(self._listeners):
                listener()
        return done

    async def _async_read_drift(self) -> timedelta:
        """Return how far the meter's clock is ahead, and report it.

        Where the key does not reach it, what was recorded shows the least of it.
        """
        drift = await self._importer.async_read_drift()
        if drift is None:
            return await self._importer.async_estimate_drift()
        self._on_drift(drift.total_seconds())
        return drift

    @callback
    def _show(self, state: HistoryState) -> None:
        """Remember and show how far the import is."""
        if state is not self._state:
            self._state = self._memory.state = state
            self._on_change()
        self._memory.async_save()

    @property
    def _has_waited(self) -> bool:
        """Whether the wait for entities without statistics is over."""
        since = self._interrupted_at
        return since is None or self._clock.now() - since > _LOOK_FOR

    @property
    def _last_hour_end(self) -> datetime:
        """The end of the last hour whose statistics are certain to be compiled."""
        return hour_of(self._clock.now() - _COMPILED_AFTER)
