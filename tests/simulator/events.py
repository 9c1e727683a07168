"""The event logs: primary (BT74) and alternate (ET79), with shared numbers."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from .quality import OLD_OUTAGES, Outage

NO_USER = 0xFFFF
POWER_LINE = 0xFFFE
MEP_USER = 0xFFFD
POWER_DOWN, POWER_UP = 1, 2  # ids as in C12.19; those from 64 on are Echelon's own
_PROCEDURE, _TABLE_WRITTEN, _PENDING_ACTIVATED, _INTERFACE = 9, 10, 28, 88
_POWER_FAILURE = b"\3"  # why the meter started
_LARGEST = 0xFFF
ARGUMENT_LENGTH = 2  # BT71.3


@dataclass(frozen=True, slots=True)
class Event:
    """One entry; ``number`` is the whole sequence number, ``time`` is UTC."""

    number: int
    time: datetime
    event_id: int
    argument: bytes
    user: int


class EventLog:
    """A circular log of so many entries."""

    def __init__(self, size: int) -> None:
        """Start empty."""
        self.size = size
        self.total = 0  # entries ever written since it was cleared
        self.entries: deque[Event] = deque(maxlen=size)

    def add(self, event: Event) -> None:
        """Write an entry over the oldest one."""
        if self.size:
            self.total += 1
            self.entries.append(event)

    def clear(self) -> None:
        """Forget all entries."""
        self.total = 0
        self.entries.clear()


class EventLogs:
    """Both logs of a meter and the number of the last event in either."""

    def __init__(self, primary: int, alternate: int) -> None:
        """Make logs of so many entries; 0 switches the alternate one off."""
        self.primary = EventLog(primary)
        self.alternate = EventLog(alternate)
        self.last_number = 0

    def add(
        self,
        event_id: int,
        time: datetime,
        argument: bytes = b"",
        user: int = NO_USER,
        *,
        alternate: bool = False,
    ) -> Event:
        """Log an event.

        Raises ValueError for an id of more than 12 bits, an argument of more than two
        bytes, or an alternate log that is off.
        """
        log = self.alternate if alternate else self.primary
        if not 0 <= event_id <= _LARGEST:
            raise ValueError(f"an event id has 12 bits: {event_id}")
        if len(argument) > ARGUMENT_LENGTH:
            raise ValueError(f"an argument has {ARGUMENT_LENGTH} bytes at the most")
        if not log.size:
            raise ValueError("this event log is switched off")
        self.last_number = (self.last_number + 1) & 0xFFFFFFFF
        argument = argument.ljust(ARGUMENT_LENGTH, b"\0")
        event = Event(self.last_number, time, event_id, argument, user)
        log.add(event)
        return event

    def add_outage(self, outage: Outage) -> None:
        """Log that the power went and came back."""
        self.add(POWER_DOWN, outage.start)
        self.add(POWER_UP, outage.end, _POWER_FAILURE)

    def newest(self, *, alternate: bool = False) -> Event | None:
        """Return the last entry of a log."""
        entries = (self.alternate if alternate else self.primary).entries
        return entries[-1] if entries else None


def past_events(primary: int, alternate: int) -> EventLogs:
    """Return the logs of a meter that had been at work for some months."""
    logs = EventLogs(primary, alternate)
    first = OLD_OUTAGES[0].start - timedelta(days=3, hours=2, minutes=11)
    logs.add(_INTERFACE, first, b"\2", POWER_LINE)  # at commissioning
    if alternate:
        for event_id in (_PROCEDURE, _TABLE_WRITTEN):
            logs.add(event_id, first, b"\x10\x08", POWER_LINE, alternate=True)
    for outage in OLD_OUTAGES:
        logs.add_outage(outage)
    last = OLD_OUTAGES[-1].end + timedelta(days=2, hours=5)
    logs.add(_PENDING_ACTIVATED, last, b"\x36\x10", POWER_LINE)  # BT54
    return logs
