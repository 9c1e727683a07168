"""When the history of the energy entities is imported from the load profile."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import EVENT_RECORDER_5MIN_STATISTICS_GENERATED
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from ..osgp import HostClock, MeterError, is_out_of_reach
from .gaps import hour_of
from .importer import (
    HistoryImport,
    HistoryImporter,
    NoLoadProfileError,
    NoRecorderError,
    NothingRecordedError,
)
from .recorder import is_recording

_LOGGER = logging.getLogger(__name__)

_COMPILED_AFTER: Final = timedelta(minutes=10)
"""How long after its end an hour is written at the earliest. The recorder compiles the
row of an hour some seconds after it, and fails for all entities if one is there
already."""

_LOOK_DELAY: Final = 5.0
"""Seconds until what the recorder has just announced can be read."""
_LOOK_FOR: Final = timedelta(hours=1)
"""How long to wait for the first row of entities that have none."""

type Marks = dict[str, str]
"""Up to which time (ISO 8601) the statistics of entities were checked, by key."""


def history_store(hass: HomeAssistant, entry_id: str) -> Store[Marks]:
    """Return the store of the marks of an entry."""
    return Store(hass, 1, f"{DOMAIN}.{entry_id}.history")


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
        clock: HostClock,
    ) -> None:
        """Initialize; nothing is imported before async_start or async_import."""
        self._hass = hass
        self._entry = entry
        self._title = entry.title
        self._importer = importer
        self._clock = clock
        self._store = history_store(hass, entry.entry_id)
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._marks: Marks | None = None
        self._interrupted_at: datetime | None = None
        self._is_read_whole = False

    @property
    def progress(self) -> int | None:
        """The percentage of the newest import that is done, None if there is none."""
        return self._importer.progress

    @callback
    def async_start(
        self,
        async_add_listener: Callable[[CALLBACK_TYPE], CALLBACK_TYPE],
        is_read_whole: Callable[[], bool],
    ) -> None:
        """Import automatically, in the background, until the entry is unloaded.

        async_add_listener calls its argument after each poll, and is_read_whole says
        whether the last one was complete.
        """
        self._async_note_interruption()
        self._is_read_whole = is_read_whole()

        @callback
        def on_poll() -> None:
            was_read_whole, self._is_read_whole = self._is_read_whole, is_read_whole()
            if self._is_read_whole and not was_read_whole:
                self._async_note_interruption()

        self._entry.async_on_unload(async_add_listener(on_poll))
        self._entry.async_on_unload(
            self._hass.bus.async_listen(
                EVENT_RECORDER_5MIN_STATISTICS_GENERATED, self._async_on_statistics
            )
        )
        # Before the meter is closed, so that no failure is reported.
        self._entry.async_on_unload(self._async_stop)

    @callback
    def _async_note_interruption(self) -> None:
        """Note that readings were missing until now."""
        self._interrupted_at = self._clock.now()

    @callback
    def _async_on_statistics(self, _event: Event) -> None:
        """Look for missing hours, if that is due."""
        since = self._interrupted_at
        # The hours before the one in which the interruption ended must be compiled.
        if (
            since is not None
            and self._is_read_whole
            and not self._turn.locked()
            and self._clock.now() >= hour_of(since) + _COMPILED_AFTER
        ):
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
            else:
                # It is tried again after the next statistics, if the meter answers.
                _LOGGER.info("%s: the history was not imported: %s", self._title, err)
        if self._interrupted_at == since and (
            is_done or since is None or self._clock.now() - since > _LOOK_FOR
        ):
            self._interrupted_at = None

    async def _async_look_through(self) -> bool:
        """Import what is missing since the last check, and store the new marks.

        Return whether all entities were checked, and none still waits for statistics.
        """
        if self._marks is None:
            self._marks = await self._store.async_load() or {}
        end = self._last_hour_end
        since = {key: datetime.fromisoformat(mark) for key, mark in self._marks.items()}
        statistics = self._importer.statistics
        # Entities that were never checked have no mark.
        plan = {
            key: gaps
            for key, gaps in (
                await self._importer.async_plan(statistics, since, end)
            ).items()
            if all(gap.right is not None for gap in gaps)
        }
        if any(plan.values()):
            try:
                done = await self._importer.async_import(statistics, plan, since, end)
            except NoLoadProfileError:
                _LOGGER.debug("%s has no usable load profile", self._title)
            else:
                _LOGGER.info(
                    "%s: %s hours of history were imported from the load profile",
                    self._title,
                    done.hours_written,
                )
        self._marks |= dict.fromkeys(plan, end.isoformat())
        await self._store.async_save(self._marks)
        return statistics.keys() <= plan.keys()

    async def async_import(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> HistoryImport:
        """Import what is missing in a span, or at all, and return what was done.

        Raises MeterError if the meter cannot be read, NoLoadProfileError if it has no
        readings of the entities, NothingRecordedError if there are no statistics yet,
        and NoRecorderError if there will be none.
        """
        if not is_recording(self._hass):
            raise NoRecorderError
        async with self._turn:
            last = self._last_hour_end
            until = last if end is None else min(last, hour_of(end))
            statistics = self._importer.statistics
            since = {} if start is None else dict.fromkeys(statistics, hour_of(start))
            plan = await self._importer.async_plan(statistics, since, until)
            if not plan:
                raise NothingRecordedError
            return await self._importer.async_import(statistics, plan, since, until)

    @property
    def _last_hour_end(self) -> datetime:
        """The end of the last hour whose statistics are certain to be compiled."""
        return hour_of(self._clock.now() - _COMPILED_AFTER)
