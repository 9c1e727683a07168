"""The event logs: BT70, BT71, BT74 and ET79."""

from ..events import ARGUMENT_LENGTH, Event, EventLog
from .layout import Layout, View, long_time, ring, table

_FLAGS = 0b110  # date and time, sequence number
_ENTRY = 12 + ARGUMENT_LENGTH


@table("BT70")
def maximum_dimensions(view: View) -> bytes:
    """What the logs can have at the most; events are counted, not their bytes."""
    size = max(200, view.profile.event_log)
    return Layout().put(0, "BBBBBHH", _FLAGS, 64, 152, 2, 2, size, 0).done()


@table("BT71", since=(2, 12))
def actual_dimensions(view: View) -> bytes:
    """Bytes of event sets, argument length, entries."""
    length = ARGUMENT_LENGTH
    entries = view.profile.event_log
    return Layout().put(0, "BBBBBHH", _FLAGS, 8, 19, length, length, entries, 0).done()


def _entry(event: Event) -> bytes:
    return (
        Layout()
        .put(0, "6sH", long_time(event.time), event.number & 0xFFFF)
        .put(8, "HH", event.user, event.event_id)
        .put(12, f"{ARGUMENT_LENGTH}s", event.argument)
        .done()
    )


def _log(log: EventLog) -> bytes:
    return ring(
        [_entry(event) for event in log.entries],
        log.total,
        log.size,
        _ENTRY,
        header="BHHIH",
        number=log.entries[-1].number if log.entries else 0,
    )


@table("BT74")
def primary_log(view: View) -> bytes:
    """The primary event log; times are UTC."""
    return _log(view.state.events.primary)


@table("ET79", since=(3, 70))
def alternate_log(view: View) -> bytes:
    """The alternate event log; a bare header when it is off."""
    return _log(view.state.events.alternate)
