"""The meter's event logs: passing on what is new, and entries as JSON."""

from collections.abc import Callable, Sequence, Set as AbstractSet
from math import inf
from typing import Final, override

from homeassistant.core import callback
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from ..link.storage import MeterStorage, StoredEventMark
from ..osgp import Meter, MeterEvent
from .reading import SlowReading

METER_EVENT: Final = "meter_event"
"""Key of the event entity for new entries of the event log."""

_PERIOD = 300.0

_MOST_MISSED: Final = 20
"""Entries that are told at the most of the time in which Home Assistant was off, so that
a long one does not end in a storm of automations."""


def event_as_json(event: MeterEvent) -> JsonObjectType:
    """Return an entry of the event log as plain values: time in UTC, bytes in hex.

    event_type says what the entry is, and beside the fields of every entry are the
    details that its argument tells, each by its own name.
    """
    return {
        "event_type": event.name,
        "sequence_number": event.sequence_number,
        "time": None if event.time is None else event.time.isoformat(),
        "event_id": event.event_id,
        "user": event.user,
        "argument": event.argument.hex(),
        "log": event.log,
        **{
            name: list(detail) if isinstance(detail, tuple) else detail
            for name, detail in event.details.items()
        },
    }


def _mark_of(event: MeterEvent) -> StoredEventMark:
    """Return what an entry is known by: both logs share their numbers."""
    time = None if event.time is None else event.time.isoformat()
    return {"sequence_number": event.sequence_number, "time": time}


_EMPTY: Final[StoredEventMark] = {"sequence_number": 0, "time": None}
"""The mark of logs that have no entries yet."""


def _missed_events(
    events: Sequence[MeterEvent], mark: StoredEventMark
) -> tuple[MeterEvent, ...]:
    """Return those of the newest entries, newest last, that follow a mark.

    Where the numbers began again since the mark was set, as in a meter before firmware
    3.70 whose log was cleared, the time of the entries decides.
    """
    number = mark["sequence_number"]
    marked = [_mark_of(event) for event in events if event.sequence_number == number]
    newest = max((event.sequence_number for event in events), default=0)
    if newest >= number and (not marked or mark in marked):
        return tuple(event for event in events if event.sequence_number > number)
    time = dt_util.parse_datetime(mark["time"] or "")
    return tuple(event for event in events if time and event.time and event.time > time)


class SlowEvents(SlowReading):
    """The event logs: passes new entries to its subscribers.

    New are those from after the first one subscribed: nothing is told that happened
    while nobody was there. The mark, which is the newest entry that was told, is stored
    as long as there are subscribers. So reloads lose nothing, and after a start the
    newest entries of the time before are told.
    """

    def __init__(self, now: Callable[[], float], storage: MeterStorage) -> None:
        """Start with no subscribers; now returns monotonic seconds."""
        super().__init__("event log", _PERIOD)
        self._now = now
        self._storage = storage
        self._mark = storage.facts.get("event_mark")
        self._has_caught_up = False
        self._is_started = False
        self._held_until = inf
        self._has_log = False
        self._subscribers: set[Callable[[MeterEvent], None]] = set()

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """The key of the event entity, where the meter has a log."""
        return frozenset({METER_EVENT}) if self._has_log else frozenset()

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether there are subscribers, or a stored mark that may be dropped."""
        return bool(self._subscribers) or "event_mark" in self._storage.facts

    @callback
    def async_start(self) -> None:
        """Report entries from now on, as all who were there before a restart are back.

        Automations watch nothing before Home Assistant has started.
        """
        self._is_started = True
        self._held_until = self._now() + self.period
        self._resume()

    @callback
    def subscribe(self, subscriber: Callable[[MeterEvent], None]) -> Callable[[], None]:
        """Call subscriber with each new entry, until the returned function is called."""
        self._drop_old_mark()
        self._subscribers.add(subscriber)
        self._resume()
        return lambda: self._subscribers.discard(subscriber)

    @callback
    def _resume(self) -> None:
        """Store the mark while somebody is told, and tell soon what was missed."""
        if not (self._is_started and self._subscribers):
            return
        if self._mark is not None:
            self._storage.async_change({"event_mark": self._mark})
        if not self._has_caught_up:
            self._due = -inf

    @callback
    def _drop_old_mark(self) -> None:
        """Forget the mark if nobody was there when the log was due."""
        if not self._subscribers and self._held_until <= self._now():
            self._forget_mark()

    @callback
    def _forget_mark(self) -> None:
        self._mark = None
        self._storage.async_forget("event_mark")

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Pass on the entries since the mark; without one, only set it."""
        self._drop_old_mark()
        if self._mark is None or not (self._is_started and self._subscribers):
            events = await meter.read_events(count=1)
            if self._mark is None:
                self._mark = _mark_of(events[-1]) if events else _EMPTY
                self._has_caught_up = True
        else:
            for event in await self._read_new(meter, self._mark):
                for subscriber in tuple(self._subscribers):
                    subscriber(event)
        if self._is_started:
            self._held_until = self._now() + self.period
        self._resume()
        self._has_log = True
        return True

    async def _read_new(
        self, meter: Meter, mark: StoredEventMark
    ) -> tuple[MeterEvent, ...]:
        """Return the entries since the mark, newest last, and set it to the newest.

        Raises MeterError.
        """
        if self._has_caught_up:
            events = new = await meter.read_events(after=mark["sequence_number"])
        else:
            # One more, which is the mark itself if all that are new are among them.
            events = await meter.read_events(count=_MOST_MISSED + 1)
            new = _missed_events(events, mark)[-_MOST_MISSED:]
        self._has_caught_up = True
        if events:
            self._mark = _mark_of(events[-1])
        return new

    @override
    def _forget(self, *, for_good: bool) -> None:
        """Keep the mark, so that the next read reports the entries since then."""
        if for_good:
            self._has_log = False
            self._forget_mark()
