"""From load profile readings to hourly means of powers: pure functions.

The mean power of an hour is exact: what a register has counted in it. Its minimum and
maximum are those of the intervals of the load profile, each with its own mean: the
true ones, which no meter logs, lie farther apart. With one interval an hour they are
the mean. Home Assistant's own minimum and maximum are those of its readings, and as
near to the true ones as readings are dense.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from ..osgp import ChannelStatus, IntervalFlag, LoadProfileInterval
from .memory import Interruptions
from .rows import Terms
from .spans import HOUR, Span, Spans, contains, hour_of, spans_of, without

_NOTICEABLE: Final = timedelta(minutes=5)
"""An hour that was not seen for so long has another mean, or one that Home Assistant
has made up."""
_CLOCK_SET: Final = IntervalFlag.CLOCK_SET_FORWARD | IntervalFlag.CLOCK_SET_BACK
_OTHER_LENGTH: Final = {
    ChannelStatus.PARTIAL_INTERVAL,
    ChannelStatus.LONG_INTERVAL,
    ChannelStatus.CLOCK_ERROR,
}
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class MeanRow:
    """The row of an hour."""

    hour: datetime
    mean: float
    min: float
    max: float


def missing_means(
    hours: Iterable[datetime],
    interruptions: Interruptions,
    imported: Spans,
    limits: Spans,
) -> Spans:
    """Return which hours within limits have no row, or one that was not measured.

    hours have rows. Of those, the imported ones are right.
    """
    doubtful = {
        hour
        for span in interruptions.spans
        for hour in _interrupted_hours(span)
        if not contains(imported, hour)
    }
    return without(limits, spans_of(hour for hour in hours if hour not in doubtful))


def _interrupted_hours(span: Span) -> Iterator[datetime]:
    """Yield the hours of which a noticeable part is in a span."""
    after, until = span
    hour = hour_of(after)
    while hour < until:
        if min(until, hour + HOUR) - max(after, hour) >= _NOTICEABLE:
            yield hour
        hour += HOUR


def mean_rows(
    intervals: Iterable[LoadProfileInterval], terms: Terms, within: Span
) -> tuple[MeanRow, ...]:
    """Return the rows of the hours within a span that intervals tell, oldest first.

    terms are cumulative registers, and how much a count of each adds in an hour. An
    hour is told if there are readings at its beginning and its end, and if no clock was
    set in it.
    """
    by_end = {interval.end: interval for interval in intervals}
    ends = sorted(by_end)
    readings = {key: _trusted(ends, by_end, key) for key in terms}
    places: dict[datetime, list[datetime]] = {}
    for end in ends:
        if all(end in each for each in readings.values()):
            hour = hour_of(end - timedelta.resolution)
            places.setdefault(hour, []).append(end)
    disturbed = {
        hour_of(end - timedelta.resolution)
        for end, interval in by_end.items()
        if interval.flags & _CLOCK_SET
        or any(interval.statuses.get(key) in _OTHER_LENGTH for key in terms)
    }
    rows: list[MeanRow] = []
    for hour, inside in places.items():
        if (
            not within[0] <= hour < within[1]
            or hour in disturbed
            or inside[-1] != hour + HOUR
            or any(hour not in each for each in readings.values())
        ):
            continue
        powers = [
            (
                (after - before) / HOUR,
                sum(
                    factor * (readings[key][after] - readings[key][before])
                    for key, factor in terms.items()
                ),
            )
            for before, after in pairwise([hour, *inside])
        ]
        levels = [amount / share for share, amount in powers]
        mean = sum(amount for _, amount in powers)
        rows.append(MeanRow(hour, mean, min(*levels, mean), max(*levels, mean)))
    return tuple(rows)


def _trusted(
    ends: Sequence[datetime], by_end: Mapping[datetime, LoadProfileInterval], key: str
) -> dict[datetime, float]:
    """Return the readings of a register that lie between their neighbours, by time.

    Of one that falls, and of one before that, none is trusted: the register was reset,
    it has rolled over, or one of the two is bad.
    """
    values = [
        (end, value)
        for end in ends
        if (value := by_end[end].values.get(key)) is not None
    ]
    falls = [
        {earlier, later}
        for (earlier, before), (later, after) in pairwise(values)
        if after < before - _SAME
    ]
    doubtful = set[datetime]().union(*falls)
    return {end: value for end, value in values if end not in doubtful}
