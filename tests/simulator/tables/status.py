"""What state the meter is in: ET54, ET70."""

from .dimensions import compatibility_flags
from .layout import Layout, View, Writer, table

_ET54_LENGTHS = (
    ((4, 30), 150),
    ((4, 10), 145),
    ((4, 0), 141),
    ((3, 70), 82),
    ((3, 60), 79),
)


@table("ET54")
def meter_status(view: View) -> bytes:
    """Interface flags and status fields; its length grows with the firmware."""
    profile = view.profile
    length = next((n for since, n in _ET54_LENGTHS if profile.since(*since)), 68)
    layout = Layout(length).put(0, "H", compatibility_flags(profile))
    if profile.since(3, 60):
        layout.put(69, "H", 20)
    return layout.done()


@table("ET70", Writer.ADVANCED)
def ram_status(view: View) -> bytes | None:
    """The MEP port that the request came in on; generation 4 only."""
    if not view.profile.generation4:
        return None
    return Layout(156).put(142, "B", view.profile.mep_port).done()
