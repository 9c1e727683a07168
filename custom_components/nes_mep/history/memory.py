"""What is remembered about the statistics of a meter, over restarts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from .spans import EVER, Span, Spans, hour_of, joined, without

_SAVE_SOON: Final = 1.0
_SAVE_READINGS: Final = 3600.0
"""Seconds after which changes are written; when Home Assistant stops they are anyway."""
_REMEMBERED: Final = timedelta(days=400)
"""How long interruptions are remembered: longer than load profiles reach back."""

type Stored = dict[str, Any]


class _HistoryStore(Store[Stored]):
    """The store of an entry."""

    @override
    async def _async_migrate_func(
        self, old_major_version: int, old_minor_version: int, old_data: Any
    ) -> Any:
        """Migrate version 1.1: up to which time each entity's statistics were checked."""
        if old_minor_version > 1:
            return old_data
        return {
            "is_survey_due": True,
            "entities": {
                key: {"checked": [[EVER.isoformat(), mark]]}
                for key, mark in old_data.items()
            },
        }


def history_store(hass: HomeAssistant, entry_id: str) -> Store[Stored]:
    """Return the store of what is remembered about the history of an entry."""
    return _HistoryStore(hass, 1, f"{DOMAIN}.{entry_id}.history", minor_version=2)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which statistic an entity has, and one of its rows.

    number is the recorder's own. It may be given to another statistic after the first
    one was deleted, or with a new database; that has not got the row witness, the start
    of an hour.
    """

    number: int
    witness: datetime


@dataclass(slots=True)
class EntityMemory:
    """What is remembered about the statistics of one entity.

    checked is where nothing is missing that could be imported, imported are the hours
    whose rows were.
    """

    identity: Identity | None = None
    checked: Spans = ()
    imported: Spans = ()


@dataclass(slots=True)
class Interruptions:
    """When the meter was not read: after a reading, until another, in order."""

    spans: list[Span] = field(default_factory=list)

    def add(self, span: Span) -> None:
        """Add an interruption and drop old ones."""
        known = joined([*self.spans, span])
        self.spans = [each for each in known if each[1] > span[1] - _REMEMBERED]

    def include(self, time: datetime) -> bool:
        """Return whether readings are missing just before a time."""
        return any(after < time <= until for after, until in self.spans)


class HistoryMemory:
    """Remembers interruptions, what was checked and what was imported.

    It exists as long as the entry, so that a reload loses nothing.

    last_import is when the newest import ended that has written rows. last_reading is when the meter was read last, as far as that is known: what was not
    written before a crash is lost, up to an hour.
    """

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Start with nothing remembered."""
        self.last_reading: datetime | None = None
        self.last_import: datetime | None = None
        self.interruptions = Interruptions()
        self.entities: dict[str, EntityMemory] = {}
        self.is_survey_due = False
        self.state: str | None = None
        self._store = history_store(hass, entry_id)
        self._is_loaded = False
        self._is_saving = False

    async def async_load(self) -> None:
        """Load what is stored, once."""
        if self._is_loaded:
            return
        self._is_loaded = True
        stored = await self._store.async_load() or {}
        self.last_reading = _time(stored.get("last_reading"))
        self.last_import = _time(stored.get("last_import"))
        self.interruptions.spans = list(_spans(stored.get("interruptions", [])))
        self.is_survey_due = stored.get("is_survey_due", False)
        self.state = stored.get("state")
        self.entities = {
            key: EntityMemory(
                identity=_identity(each.get("identity")),
                checked=_spans(each.get("checked", [])),
                imported=_spans(each.get("imported", [])),
            )
            for key, each in stored.get("entities", {}).items()
        }

    def of(self, key: str) -> EntityMemory:
        """Return what is remembered of an entity, to be changed in place."""
        return self.entities.setdefault(key, EntityMemory())

    @callback
    def async_read(self, time: datetime) -> None:
        """Remember when the meter was read; it is written within an hour."""
        is_first, self.last_reading = self.last_reading is None, time
        if is_first:
            self.async_save()
        elif not self._is_saving:
            self._is_saving = True
            self._store.async_delay_save(self._stored, _SAVE_READINGS)

    @callback
    def async_interrupted(self, span: Span) -> None:
        """Remember when the meter was not read; its hours are to be checked again."""
        self.interruptions.add(span)
        begin, end = hour_of(span[0]), hour_of(span[1])
        for each in self.entities.values():
            each.checked = without(each.checked, joined([(begin, end)]))
        self.async_save()

    @callback
    def async_save(self) -> None:
        """Write what has changed within a second."""
        self._is_saving = True
        self._store.async_delay_save(self._stored, _SAVE_SOON)

    async def async_remove(self) -> None:
        """Delete what is stored."""
        await self._store.async_remove()

    def _stored(self) -> Stored:
        """Return what is written."""
        self._is_saving = False
        return {
            "last_reading": self.last_reading and self.last_reading.isoformat(),
            "last_import": self.last_import and self.last_import.isoformat(),
            "interruptions": _as_json(self.interruptions.spans),
            "is_survey_due": self.is_survey_due,
            "state": self.state,
            "entities": {
                key: {
                    "identity": each.identity
                    and [each.identity.number, each.identity.witness.isoformat()],
                    "checked": _as_json(each.checked),
                    "imported": _as_json(each.imported),
                }
                for key, each in self.entities.items()
            },
        }


def _time(stored: str | None) -> datetime | None:
    return datetime.fromisoformat(stored) if stored else None


def _as_json(spans: Spans | list[Span]) -> list[list[str]]:
    return [[begin.isoformat(), end.isoformat()] for begin, end in spans]


def _spans(stored: list[list[str]]) -> Spans:
    return tuple(
        (datetime.fromisoformat(begin), datetime.fromisoformat(end))
        for begin, end in stored
    )


def _identity(stored: list[Any] | None) -> Identity | None:
    if not stored:
        return None
    return Identity(stored[0], datetime.fromisoformat(stored[1]))
