"""The entries of the meter's event logs, as Home Assistant shows them."""

from homeassistant.util.json import JsonObjectType

from .osgp import MeterEvent


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
