"""What state the meter is in: BT03, ET23, ET54, ET70."""

from ..alarms import alarm_field
from .dimensions import MODULE_RECORD, MODULES, compatibility_flags
from .layout import Layout, View, Writer, table

_ET54_LENGTHS = (
    ((4, 30), 150),
    ((4, 10), 145),
    ((4, 0), 141),
    ((3, 80), 91),
    ((3, 70), 82),
    ((3, 60), 79),
)
CALENDAR = 0x0001_2F05


@table("BT03")
def alarms(view: View) -> bytes:
    """The meter's alarms, one bit each."""
    alarms = view.state.alarms_at(view.time)
    return alarm_field(alarms, view.profile.firmware[:2])


@table("ET23", Writer.ADVANCED)
def miscellaneous(view: View) -> bytes:
    """Power line messages, the load disconnect, the active calendar."""
    return (
        Layout(218 if view.profile.generation4 else 186)
        .put(0, "II", 48_211, 48_190)
        .put(94, "BI", view.state.disconnect, CALENDAR)
        .done()
    )


@table("ET54")
def meter_status(view: View) -> bytes:
    """Interface flags and status fields; its length grows with the firmware."""
    profile = view.profile
    length = next((n for since, n in _ET54_LENGTHS if profile.since(*since)), 68)
    override = view.snapshot.override
    layout = (
        Layout(length)
        .put(0, "H", compatibility_flags(profile))
        .put(19, "B", view.history.opted_out)
        .put(44, "B", override.reason if override else 0)
    )
    for number, operation in view.state.switchings.items():
        start = 62 if number == 1 else 103 + MODULES * MODULE_RECORD
        remaining = operation.remaining(view.time)
        pending = operation.pending(view.time)
        layout.put(start, "BHH", pending, remaining, operation.total)
    if profile.since(3, 60):
        layout.put(68, "BH", view.state.wiring, profile.extended_reads)
    if profile.since(3, 70):
        layout.put(80, "H", profile.alternate_event_log)
    return layout.done()


@table("ET70", Writer.ADVANCED, since=(4, 0))
def ram_status(view: View) -> bytes:
    """The MEP port that the request came in on; generation 4 only."""
    return Layout(156).put(142, "B", view.profile.mep_port).done()
