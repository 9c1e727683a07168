"""Sets of times as sorted, disjoint spans: pure functions."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

HOUR: Final = timedelta(hours=1)
EVER: Final = datetime.min.replace(tzinfo=UTC)
"""The start of a span without a known start."""

type Span = tuple[datetime, datetime]
"""From a time up to, but not including, a later one; aware and in UTC."""
type Spans = tuple[Span, ...]
"""Spans in order; no two of them touch."""


def hour_of(time: datetime) -> datetime:
    """Return the start of the hour that a time belongs to, in UTC."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def joined(spans: Iterable[Span], apart: timedelta = timedelta(0)) -> Spans:
    """Return what any of the spans covers; those no further apart are joined."""
    found: list[Span] = []
    for begin, end in sorted(span for span in spans if span[0] < span[1]):
        if found and begin - found[-1][1] <= apart:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((begin, end))
    return tuple(found)


def without(spans: Spans, others: Spans) -> Spans:
    """Return what spans cover and others do not."""
    if not spans:
        return ()
    edges = [(EVER, EVER), *others, (last := max(spans[-1][1], EVER), last)]
    free = ((left[1], right[0]) for left, right in pairwise(edges))
    return common(spans, joined(free))


def common(spans: Spans, others: Spans) -> Spans:
    """Return what both cover."""
    return joined(
        (max(begin, start), min(end, stop))
        for begin, end in spans
        for start, stop in others
        if begin < stop and start < end
    )


def spans_of(hours: Iterable[datetime]) -> Spans:
    """Return the spans that consist of these hours."""
    return joined((hour, hour + HOUR) for hour in hours)


def contains(spans: Spans, time: datetime) -> bool:
    """Return whether a time is in one of the spans."""
    return any(begin <= time < end for begin, end in spans)
