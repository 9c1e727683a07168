"""The event logs: BT71, BT74 and ET79."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from .event_arguments import EventDetails
from .event_kinds import event_meaning
from .fields import TableData, optional_date_time
from .logs import LogHeader

EVENT_LOG_DIMENSIONS_LENGTH = 7
ALTERNATE_ENTRIES_OFFSET = 80
PRIMARY_EVENT_LOG = "BT74"
ALTERNATE_EVENT_LOG = "ET79"

_FIXED_ENTRY_LENGTH = 12
_LONGEST_ARGUMENT = 16
_MOST_ENTRIES = 1000
"""More than the guide's meters have: arguments of 2 bytes, and 200 entries."""
_LOW_NUMBER = 0xFFFF
_USERS = {0xFFFF: "none", 0xFFFE: "power_line", 0xFFFD: "mep"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLogDimensions:
    """BT71: argument_length in bytes, and the entries that BT74 can hold.

    ET79 has entries of the same form; how many it can hold is in ET54.80.
    """

    argument_length: int
    entries: int

    @property
    def entry_length(self) -> int:
        """Length of an entry in bytes."""
        return _FIXED_ENTRY_LENGTH + self.argument_length


def decode_event_log_dimensions(data: bytes, name: str = "BT71") -> EventLogDimensions:
    """Decode BT71, 7 bytes, or BT70 of firmware without it. Raises DecodeError."""
    table = TableData(name, data)
    return EventLogDimensions(
        argument_length=table.limited(3, _LONGEST_ARGUMENT),
        entries=table.limited(5, _MOST_ENTRIES, 2),
    )


def decode_alternate_entries(data: bytes) -> int:
    """Decode how many entries ET79 can hold: two bytes of ET54, at 80."""
    offset = ALTERNATE_ENTRIES_OFFSET
    return TableData("ET54", data, offset).limited(offset, _MOST_ENTRIES, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterEvent:
    """An entry of an event log.

    time is in UTC, and None where the meter had no time. user is who accessed the
    meter: "none", "power_line", "mep", or the number of a user of the optical port. log
    is the name of the table. name and details are what event_id and argument mean: see
    event_meaning.
    """

    sequence_number: int
    time: datetime | None
    event_id: int
    user: str
    argument: bytes
    log: str
    name: str
    details: EventDetails


def entries_after(header: LogHeader, after: int) -> int:
    """Return how many entries to read to get those after a sequence number.

    Older entries can be among these, because both logs share their numbers. The result
    is 0 if the log has nothing newer; a meter before 3.70 counts from the start again
    when its log is cleared.
    """
    return max(0, min(header.valid_entries, header.last_sequence_number - after))


def decode_events(
    header: LogHeader,
    data: bytes,
    dimensions: EventLogDimensions,
    firmware_version: tuple[int, int, int],
) -> tuple[MeterEvent, ...]:
    """Decode entries of an event log: the bytes of entry_spans(), newest last.

    Entries keep the low half of their sequence number only; the rest follows from
    the header, counted back from the newest entry. What an event means depends on the
    firmware.
    """
    length = dimensions.entry_length
    table = TableData(header.name, data)
    if len(data) % length:
        raise table.error(0, len(data), f"not whole entries of {length} bytes")
    newer = header.last_sequence_number
    events: list[MeterEvent] = []
    for offset in reversed(range(0, len(data), length)):
        newer -= (newer - table.uint(offset + 6, 2)) & _LOW_NUMBER
        if newer < 0:
            raise table.error(offset + 6, 2, "newer than the header says")
        user = table.uint(offset + 8, 2)
        event_id = table.uint(offset + 10, 2) & 0xFFF
        argument = table.raw(offset + _FIXED_ENTRY_LENGTH, dimensions.argument_length)
        name, details = event_meaning(event_id, argument, firmware_version)
        events.append(
            MeterEvent(
                sequence_number=newer,
                time=optional_date_time(table, offset, UTC),
                event_id=event_id,
                user=_USERS.get(user, str(user)),
                argument=argument,
                log=header.name,
                name=name,
                details=details,
            )
        )
    return tuple(reversed(events))


def merge_events(
    logs: Iterable[Iterable[MeterEvent]],
    after: int | None = None,
    count: int | None = None,
) -> tuple[MeterEvent, ...]:
    """Merge the events of the logs by sequence number, newest last.

    Only those after a sequence number are returned, and of these the newest count.
    An event that was entered in both logs appears once, by its higher number: one with
    the same time, id, user and argument. Within one log, such events are different
    ones, which happened in the same second.
    """
    events = sorted(
        (event for log in logs for event in log),
        key=lambda event: (
            event.sequence_number,
            event.log == PRIMARY_EVENT_LOG,
        ),
    )
    counts: Counter[object] = Counter()
    merged: dict[object, MeterEvent] = {}
    for event in reversed(events):
        what = (event.time, event.event_id, event.user, event.argument)
        counts[event.log, what] += 1
        # Without a time it is not certain that it is the same.
        place = None if event.time else (event.log, event.sequence_number)
        merged.setdefault((what, counts[event.log, what], place), event)
    newest = [
        event
        for event in reversed(merged.values())
        if after is None or event.sequence_number > after
    ]
    return tuple(newest if count is None else newest[max(0, len(newest) - count) :])
