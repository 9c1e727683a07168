"""The meter's event logs: passing on what is new, and entries as JSON."""

from collections.abc import Callable, Set as AbstractSet
from dataclasses import dataclass
from math import inf
from typing import Final, override

from homeassistant.util.json import JsonObjectType

from ..osgp import Meter, MeterEvent
from .reading import SlowReading

METER_EVENT: Final = "meter_event"
"""Key of the event entity for new entries of the event log."""

_PERIOD = 300.0


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


@dataclass(slots=True)
class EventMark:
    """The last entry of the event log that was told, None if there is no such mark.

    It holds until a time in monotonic seconds, and as long as somebody is told.
    """

    sequence_number: int | None = None
    until: float = -inf


class SlowEvents(SlowReading):
    """The event log: passes new entries to its subscribers.

    New are those from after the first one subscribed: nothing is told that happened
    while nobody was there. The mark is kept over reloads, so that they lose nothing.
    """

    def __init__(self, now: Callable[[], float], mark: EventMark) -> None:
        """Start with no subscribers; now returns monotonic seconds."""
        super().__init__("event log", _PERIOD)
        self._now = now
        self._mark = mark
        self._has_log = False
        self._subscribers: set[Callable[[MeterEvent], None]] = set()

    @property
    @override
    def keys(self) -> AbstractSet[str]:
        """The key of the event entity, where the meter has a log."""
        return frozenset({METER_EVENT}) if self._has_log else frozenset()

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether there are subscribers."""
        return bool(self._subscribers)

    def subscribe(self, subscriber: Callable[[MeterEvent], None]) -> Callable[[], None]:
        """Call subscriber with each new entry, until the returned function is called."""
        self._drop_old_mark()
        self._subscribers.add(subscriber)
        return lambda: self._subscribers.discard(subscriber)

    def _drop_old_mark(self) -> None:
        """Forget the mark if nobody was there when the log was due."""
        if not self._subscribers and self._mark.until <= self._now():
            self._mark.sequence_number = None

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Pass on the entries since the mark; without one, only set it."""
        self._drop_old_mark()
        mark = self._mark
        if mark.sequence_number is None or not self._subscribers:
            events = await meter.read_events(count=1)
            newest = max((event.sequence_number for event in events), default=0)
            told = mark.sequence_number
            mark.sequence_number = newest if told is None else min(told, newest)
        else:
            for event in await meter.read_events(after=mark.sequence_number):
                mark.sequence_number = event.sequence_number
                for subscriber in tuple(self._subscribers):
                    subscriber(event)
        mark.until = self._now() + self.period
        self._has_log = True
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        """Keep the mark, so that the next read reports the entries since then."""
        if for_good:
            self._has_log = False
            self._mark.sequence_number = None
