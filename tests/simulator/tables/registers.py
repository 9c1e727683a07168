"""The readings: BT15, BT23, BT28."""

from datetime import datetime
from zoneinfo import ZoneInfo

from ..profiles import Demand
from ..registers import Snapshot
from .layout import Layout, View, Writer, table


@table("BT15", Writer.ADVANCED)
def constants(view: View) -> bytes:
    """Multiplier, offset, and the CT and VT ratios."""
    ratios = view.profile.ratios
    applied = view.profile.transformer is not None
    return (
        Layout()
        .put(0, "iiB", 1, 0, applied)
        .put(9, "ii", ratios.ct_ratio, ratios.vt_ratio)
        .done()
    )


@table("BT23", Writer.ADVANCED)
def current_registers(view: View) -> bytes:
    """Demand reset counter, then the total block and a block for each tier."""
    return registers(view.snapshot, view.zone)


def registers(snapshot: Snapshot, zone: ZoneInfo) -> bytes:
    """Return the registers in the format of BT23."""
    profile = snapshot.profile
    layout = Layout()
    if profile.demand:
        layout.add("B", snapshot.demand_resets)
    for tier in (None, *range(profile.tiers)):
        for source in profile.summations:
            value = (
                snapshot.value(source)
                if tier is None
                else snapshot.tier_value(source, tier)
            )
            layout.add("i", value)
        if profile.demand:
            _demand_block(layout, snapshot, profile.demand, tier, zone)
    return layout.done()


def _demand_block(
    layout: Layout,
    snapshot: Snapshot,
    demand: Demand,
    tier: int | None,
    zone: ZoneInfo,
) -> None:
    """Write demand records and coincident values of the totals or of a tier.

    Their times are local, as the guide says of those in BT24 and BT26.
    """
    peaks = [snapshot.peak(source, tier) for source in demand.sources]
    for source, peak in zip(demand.sources, peaks, strict=True):
        time = datetime.fromtimestamp(peak.time, zone)
        layout.add("5B", time.year - 2000, *time.timetuple()[1:5])
        cumulative = snapshot.cumulative(source, tier)
        if demand.cumulative:
            layout.add("i", cumulative)
        if demand.continuous_cumulative:
            layout.add("i", cumulative + peak.value)
        layout.add("i", peak.value)
    for source, index in demand.coincidents:
        layout.add("i", snapshot.coincident(source, peaks[index]))


@table("BT28")
def present_registers(view: View) -> bytes:
    """Present demands, then the present values."""
    profile, snapshot = view.profile, view.snapshot
    layout = Layout()
    if demand := profile.demand:
        minutes, seconds = divmod(snapshot.demand.remaining(snapshot.time), 60)
        for source in demand.present:
            if demand.time_remaining:
                layout.add("BBB", 0, minutes, seconds)
            layout.add("i", snapshot.value(source))
    for source in profile.present:
        layout.add("i", snapshot.value(source))
    return layout.done()
