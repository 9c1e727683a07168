"""What cuts the load off: ET46, ET80."""

from .layout import Layout, View, Writer, long_time, table


@table("ET46")
def control_output(view: View) -> bytes:
    """How the load is limited; 3.70 and later: when it was cut off, in UTC [inferred]."""
    layout = Layout(13)
    if view.profile.since(3, 70):
        layout.put(13, "i6s", 0, long_time(view.state.cut_off))
    return layout.done()


@table("ET80", Writer.ADVANCED, since=(3, 70))
def average_power(view: View) -> bytes:
    """The limit of the average power."""
    limit = view.profile.power_limit
    form = "BHBI"
    fields = (limit.enabled, limit.seconds, limit.multiplier, limit.threshold)
    return Layout().put(0, form, *fields).done()
