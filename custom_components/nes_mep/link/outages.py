"""Outages of the link to a meter: when and how it failed, and when it recovered.

What the client recovers from within a poll is not a failure; when there is much of
it, the link is disturbed.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from homeassistant.core import HassJobType, HomeAssistant, callback
from homeassistant.util import dt as dt_util
from homeassistant.util.logging import catch_log_exception

from ..osgp import HostClock, LinkStatistics, MeterError
from .errors import FailureKind, failure_of

RECOVERED: Final = "recovered"
DISTURBED: Final = "disturbed"

LINK_EVENT_TYPES: Final = [*FailureKind, RECOVERED, DISTURBED]

WHOLE_POLL: Final = ""
"""Stands for the table if an error kept everything from being read."""


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """Something that happened to a link: a FailureKind, RECOVERED or DISTURBED.

    A failure has the attributes reason, error and tables, which is empty when nothing
    at all could be read. A recovery has duration, in seconds, and kinds. A disturbance
    has damaged_replies, their number within an hour. All have the counters of the link,
    if there are any.
    """

    type: str
    time: datetime
    attributes: Mapping[str, Any]

    @property
    def is_failure(self) -> bool:
        """Whether the link failed."""
        return self.type in FailureKind

    @property
    def is_recovery(self) -> bool:
        """Whether the link works again."""
        return self.type == RECOVERED


type LinkSubscriber = Callable[[LinkEvent], object]


@dataclass(slots=True)
class _Outage:
    """A time in which not everything could be read."""

    since: float
    kinds: list[FailureKind] = field(default_factory=list)


class OutageLog:
    """Records the outages of the link to one meter and notifies its subscribers.

    Within one outage, each kind of failure is reported once.
    """

    def __init__(self, hass: HomeAssistant, clock: HostClock) -> None:
        """Start with no outage known."""
        self._hass = hass
        self._clock = clock
        self._outage: _Outage | None = None
        self._first: list[LinkSubscriber] = []
        self._others: list[LinkSubscriber] = []
        self.last_event: LinkEvent | None = None

    @property
    def is_down(self) -> bool:
        """Whether the last poll failed, as a whole or in one of its tables."""
        return self._outage is not None

    @callback
    def async_subscribe(
        self, subscriber: LinkSubscriber, *, is_entity: bool = False
    ) -> Callable[[], None]:
        """Call subscriber with each event, until the returned function is called.

        Entities are called first, so that automations find their new state.
        """
        subscribers = self._first if is_entity else self._others
        # It is somebody's automation: the others are to be called all the same.
        guarded = catch_log_exception(
            subscriber,
            lambda _event: "Unexpected error in a subscriber of link events",
            HassJobType.Callback,
        )
        subscribers.append(guarded)
        return lambda: subscribers.remove(guarded)

    def missed(self, told_at: str | None, told: str | None) -> LinkEvent | None:
        """Return the event that happened after the last one that was shown, if any.

        told_at (ISO 8601) and told are the time and type of that last one. It may be
        from before a restart: if it was a failure and the link works, this is a
        recovery.
        """
        time = dt_util.parse_datetime(told_at or "")
        event = self.last_event
        if event is not None and (time is None or event.time > time):
            return event
        if time is None or told not in FailureKind or self.is_down:
            return None
        now = self._clock.now()
        duration = round((now - time).total_seconds(), 1)
        return LinkEvent(RECOVERED, now, {"duration": duration, "kinds": [told]})

    @callback
    def async_poll_ended(
        self, errors: Mapping[str, MeterError], statistics: LinkStatistics | None
    ) -> None:
        """Record how a poll went: the errors of tables by name, or of WHOLE_POLL."""
        if errors:
            self._failed(errors, statistics)
        elif self._outage is not None:
            outage, self._outage = self._outage, None
            self._tell_soon(
                RECOVERED,
                {
                    "duration": round(self._clock.time() - outage.since, 1),
                    "kinds": [kind.value for kind in outage.kinds],
                },
                statistics,
            )

    @callback
    def async_tell_disturbed(self, damaged: int, statistics: LinkStatistics) -> None:
        """Report that so many replies were damaged within an hour."""
        self._tell_soon(DISTURBED, {"damaged_replies": damaged}, statistics)

    def _failed(
        self, errors: Mapping[str, MeterError], statistics: LinkStatistics | None
    ) -> None:
        """Report the kinds of failure that are new in this outage."""
        if self._outage is None:
            self._outage = _Outage(since=self._clock.time())
        for kind in dict.fromkeys(failure_of(err).kind for err in errors.values()):
            if kind in self._outage.kinds:
                continue
            self._outage.kinds.append(kind)
            of_kind = {
                table: err
                for table, err in errors.items()
                if failure_of(err).kind is kind
            }
            first = next(iter(of_kind.values()))
            self._tell_soon(
                kind.value,
                {
                    "reason": failure_of(first).reason,
                    "error": str(first),
                    "tables": sorted(of_kind.keys() - {WHOLE_POLL}),
                },
                statistics,
            )

    def _tell_soon(
        self,
        event_type: str,
        attributes: Mapping[str, Any],
        statistics: LinkStatistics | None,
    ) -> None:
        """Report an event, but not before the entities show how the poll went."""
        now = self._clock.now()
        event = LinkEvent(
            type=event_type,
            # As precise as the state that will show it.
            time=now.replace(microsecond=now.microsecond // 1000 * 1000),
            attributes={**attributes, **counters(statistics)},
        )
        self._hass.loop.call_soon(self._tell, event)

    @callback
    def _tell(self, event: LinkEvent) -> None:
        self.last_event = event
        for subscriber in (*self._first, *self._others):
            subscriber(event)


def counters(statistics: LinkStatistics | None) -> dict[str, int]:
    """Return the counters of link statistics by name."""
    if statistics is None:
        return {}
    return {
        name: value
        for name, value in asdict(statistics).items()
        if isinstance(value, int)
    }
