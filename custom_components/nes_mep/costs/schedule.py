"""When the costs of imported hours are imported, and which were."""

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
from ..history import HistoryError
from ..history.spans import HOUR, hour_of, spans_of
from ..osgp import HostClock, MeterError
from .importer import CostImport, CostImporter, Hours, hours_of
from .request import CostRequest
from .rows import CostSkip

_LOGGER = logging.getLogger(__name__)

_COMPILED_AFTER: Final = timedelta(minutes=10)
"""How long after a full hour costs are imported at the earliest: the hour before must
have its row, and this one a 5-minute row, through which adjustments reach the next."""

type Marks = dict[str, list[list[str]]]
"""The spans of hours (start, end; ISO 8601) that have been priced, by key."""


def costs_store(hass: HomeAssistant, entry_id: str) -> Store[Marks]:
    """Return the store of the hours of an entry that have been priced."""
    return Store(hass, 1, f"{DOMAIN}.{entry_id}.costs")


class Costs:
    """Imports the costs of one meter's imported hours, on demand or after each import.

    It remembers which hours have been priced, so that no later price changes them
    unless somebody asks for it.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        importer: CostImporter,
        clock: HostClock,
    ) -> None:
        """Initialize; nothing is imported before async_start or async_import."""
        self._hass = hass
        self._entry = entry
        self._title = entry.title
        self._importer = importer
        self._clock = clock
        self._store = costs_store(hass, entry.entry_id)
        self._turn = asyncio.Lock()
        self._priced: dict[str, Hours] | None = None
        self._due: datetime | None = None
        self._task: asyncio.Task[None] | None = None

    @callback
    def async_start(
        self, async_add_import_listener: Callable[[CALLBACK_TYPE], CALLBACK_TYPE]
    ) -> None:
        """Import after each import of history, until the entry is unloaded.

        async_add_import_listener calls its argument after an import that wrote hours.
        """
        self._async_note_import()  # one before the last restart, perhaps
        self._entry.async_on_unload(async_add_import_listener(self._async_note_import))
        self._entry.async_on_unload(
            self._hass.bus.async_listen(
                EVENT_RECORDER_5MIN_STATISTICS_GENERATED, self._async_on_statistics
            )
        )
        # Before the meter is closed, so that no failure is reported.
        self._entry.async_on_unload(self._async_stop)

    @callback
    def _async_note_import(self) -> None:
        """Record that hours were imported whose costs are missing."""
        self._due = self._clock.now()

    @callback
    def _async_on_statistics(self, _event: Event) -> None:
        """Import costs if that is due and the hours before have their rows."""
        now = self._clock.now()
        if (
            self._due is not None
            and now >= self._due
            and not self._turn.locked()
            and now - hour_of(now) >= _COMPILED_AFTER
        ):
            self._task = self._entry.async_create_background_task(
                self._hass, self._async_look(), f"{self._title} costs"
            )

    @callback
    def _async_stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _async_look(self) -> None:
        """Import the costs of what was imported; continue later with what is not ready."""
        self._due = None
        try:
            done = await self.async_import(CostRequest())
        except HistoryError as err:
            _LOGGER.debug(
                "%s: no costs to import: %s", self._title, err.translation_key
            )
        except MeterError as err:
            _LOGGER.info("%s: the costs were not imported: %s", self._title, err)
            self._due = self._clock.now()
        else:
            if CostSkip.NOT_BACK_YET in done.skipped and self._due is None:
                self._due = hour_of(self._clock.now()) + HOUR
            if done.hours_written:
                _LOGGER.info(
                    "%s: the costs of %s imported hours were written",
                    self._title,
                    done.hours_written,
                )

    async def async_import(self, request: CostRequest) -> CostImport:
        """Import costs, and return what was done.

        Raises HistoryError if there is nothing to import to, and MeterError if the load
        profile is needed and cannot be read.
        """
        async with self._turn:
            if self._priced is None:
                self._priced = {
                    key: hours_of(
                        (datetime.fromisoformat(start), datetime.fromisoformat(end))
                        for start, end in spans
                    )
                    for key, spans in (await self._store.async_load() or {}).items()
                }
            done = await self._importer.async_import(request, self._priced)
            if not request.dry_run and any(done.priced.values()):
                for key, hours in done.priced.items():
                    self._priced[key] = self._priced.get(key, frozenset()).union(hours)
                await self._store.async_save(
                    {
                        key: [
                            [start.isoformat(), end.isoformat()]
                            for start, end in spans_of(hours)
                        ]
                        for key, hours in self._priced.items()
                    }
                )
            return done
