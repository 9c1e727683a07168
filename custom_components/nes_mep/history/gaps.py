"""Which hours the recorder lacks: pure functions."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from .spans import EVER, HOUR, Span, Spans, joined


@dataclass(frozen=True, slots=True)
class Point:
    """What was recorded at a time: the reading and the sum so far."""

    state: float
    sum: float


@dataclass(frozen=True, slots=True)
class RecordedHour:
    """The row of an hour.

    complete says whether it has the reading at the end of the hour. If not, nothing was
    read then: Home Assistant was off, or the meter did not answer.
    """

    point: Point
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """What the recorder has for one entity.

    hours are the rows in order. current is the newest hour, if it has no row yet, with
    the first point that was read in it.
    """

    hours: Mapping[datetime, RecordedHour]
    current: tuple[datetime, Point] | None = None

    @property
    def complete(self) -> Iterator[tuple[datetime, Point]]:
        """Yield the hours that are complete, and the current one, oldest first."""
        for hour, row in self.hours.items():
            if row.complete:
                yield hour, row.point
        if self.current is not None:
            yield self.current


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Hours without a complete row: from start (None: the beginning) up to end.

    left is the complete row before that, None if there is none, and right the first
    one after it, of the hour right_hour; None if there is none yet. stale are the rows
    of hours in the gap.
    """

    start: datetime | None
    end: datetime
    left: Point | None
    right: Point | None
    right_hour: datetime | None
    stale: Mapping[datetime, Point] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        """From start to end."""
        return self.start or EVER, self.end


def find_gaps(series: Series, end: datetime) -> tuple[Gap, ...]:
    """Return the gaps of a series up to the hour end, oldest first.

    There are none if nothing complete was recorded: imported rows would not connect to
    the first row that Home Assistant writes itself.
    """
    gaps: list[Gap] = []
    start: datetime | None = None
    left: Point | None = None
    for hour, point in series.complete:
        if start is None or start < hour:
            gaps.append(
                Gap(
                    start=start,
                    end=hour,
                    left=left,
                    right=point,
                    right_hour=hour,
                    stale=_stale(series, start, hour),
                )
            )
        start, left = hour + HOUR, point
    if start is not None and series.current is None and start < end:
        gaps.append(Gap(start=start, end=end, left=left, right=None, right_hour=None))
    return tuple(gaps)


def _stale(
    series: Series, start: datetime | None, end: datetime
) -> dict[datetime, Point]:
    """Return the incomplete rows of hours in a span."""
    return {
        hour: row.point
        for hour, row in series.hours.items()
        if not row.complete and hour < end and (start is None or start <= hour)
    }


def flat_spans(all_hours: Iterable[Mapping[datetime, RecordedHour]]) -> Spans:
    """Return the spans in which Home Assistant seems to have been off, from the rows alone.

    For the hours in which it was off, it writes rows without any change, for all
    entities, and the row after these has all that was counted. A span reaches from the
    last hour before them, which may have been left early, to the end of the last one.
    """
    found = [
        {
            hour: row.point.state - before.point.state
            for (earlier, before), (hour, row) in pairwise(hours.items())
            if hour - earlier == HOUR
        }
        for hours in all_hours
    ]
    flat = {
        hour
        for hour in set[datetime]().union(*found)
        if all(changes.get(hour, 0.0) == 0 for changes in found)
    }
    spans = joined((hour, hour + HOUR) for hour in flat)
    return tuple(
        (begin - HOUR, end)
        for begin, end in spans
        if any(changes.get(end, 0.0) > 0 for changes in found)
    )
