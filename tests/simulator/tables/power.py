"""Power quality and outages: ET09 and ET81."""

from collections.abc import Iterable

from ..quality import DISTORTIONS, PHASES, PowerQuality, Tally
from .layout import Layout, View, Writer, long_time, ring, table

_OUTAGE = 18  # bytes of an outage record in ET09
_POWER_FAILURE, _BROWN_OUT = 3, 8
_SAG2_PERCENT = 15
# ET09: where the fields behind the outages end, by firmware; the first is that of 2.12.
_LENGTHS = (((4, 21), 519), ((4, 10), 518), ((3, 70), 477), ((3, 10), 357))


@table("ET09", Writer.ADVANCED)
def power_quality(view: View) -> bytes:
    """Thresholds, the last outages, sags, surges, extremes, THD; times are UTC."""
    profile, quality = view.profile, view.state.quality
    start = profile.outage_records * _OUTAGE
    length = next((n for since, n in _LENGTHS if profile.since(*since)), 144)
    layout = Layout().put(0, "HBBBB", quality.long_outage, 1, 10, 10, 20)
    _outages(layout, view)
    _tallies(layout, start + 6, quality.sags.values())
    _tallies(layout, start + 30, quality.surges.values())
    layout.put(start + 54, "i", quality.lowest.value)
    layout.put(start + 58, "6s", long_time(quality.lowest.time))
    layout.put(start + 64, "i", quality.highest.value)
    layout.put(start + 68, "6s", long_time(quality.highest.time))
    layout.put(start + 74, "3I", *quality.over_currents.values())
    lost = sum(1 << phase - 1 for phase in quality.lost_phases)
    layout.put(start + 86, "B", lost)
    _tallies(layout, start + 87, quality.phase_losses.values())
    layout.put(start + 111, "3i", *(tally.level for tally in quality.sags.values()))
    layout.put(start + 123, "3i", *(tally.level for tally in quality.surges.values()))
    layout.put(start + 135, "IIB", quality.short_outages, 0x0101, 0)
    layout.put(start + 144, "BH", 2, 10)
    _distortions(layout, start + 147, quality)
    _transgressions(layout, start + 357, quality)
    _second_sags(layout, start + 477, quality)
    return layout.done()[: start + length]


def _outages(layout: Layout, view: View) -> None:
    """Write the outages, newest first."""
    records = view.profile.outage_records
    layout.put(6, f"{records * _OUTAGE}x")
    newest = view.state.outages[::-1][:records]
    for number, outage in enumerate(newest):
        cause = _BROWN_OUT if outage.brownout else _POWER_FAILURE
        on, off = long_time(outage.end), long_time(outage.start)
        layout.put(6 + _OUTAGE * number, "6sBx6sI", on, cause, off, outage.seconds)


def _tallies(layout: Layout, offset: int, tallies: Iterable[Tally]) -> None:
    """Write time and count of each phase."""
    for number, tally in enumerate(tallies):
        layout.put(offset + 8 * number, "6sH", long_time(tally.last), tally.count)


def _distortions(layout: Layout, offset: int, quality: PowerQuality) -> None:
    """Write three THD records of three phases; four bytes of each are unknown."""
    for number, kind in enumerate(DISTORTIONS):
        layout.put(offset + 70 * number, "HH66x", 60, 50)
        for phase in PHASES:
            known = quality.distortions[kind, phase]
            last, when = long_time(known.last), long_time(known.maximum_at)
            layout.put(
                offset + 70 * number + 4 + 22 * (phase - 1),
                "H6sH6sH4x",
                *(known.count, last, known.maximum, when, known.average),
            )


def _transgressions(layout: Layout, offset: int, quality: PowerQuality) -> None:
    layout.put(offset, "120x")
    for number, event in enumerate(quality.transgressions):
        time = long_time(event.time)
        layout.put(offset + 10 * number, "HH6s", event.drp, event.drc, time)


def _second_sags(layout: Layout, offset: int, quality: PowerQuality) -> None:
    """Write thresholds and counts of sag 2, the averaging interval, the options."""
    tallies = quality.second_sags.values()
    layout.put(offset, "HB", 2, _SAG2_PERCENT)
    _tallies(layout, offset + 3, tallies)
    layout.put(offset + 27, "3i", *(tally.level for tally in tallies))
    layout.put(offset + 39, "HB", 600, 0)


@table("ET81", since=(3, 70))
def outage_log(view: View) -> bytes:
    """Start and end of each outage, local times; a bare header when not configured."""
    profile, outages = view.profile, view.state.outages
    capacity = profile.outage_log
    entries = [
        long_time(outage.start.astimezone(view.zone))
        + long_time(outage.end.astimezone(view.zone))
        for outage in outages[max(0, len(outages) - capacity) :]
    ]
    last = 0 if profile.fixed_outage_index else None
    return ring(entries, len(outages), capacity, 12, last=last)
