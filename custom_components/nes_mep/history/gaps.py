"""Which hours the recorder lacks: pure functions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Point:
    """What was recorded at a time: the reading, and the sum up to it."""

    state: float
    sum: float


@dataclass(frozen=True, slots=True)
class RecordedHour:
    """What was recorded in an hour: the last point of it.

    complete says whether the hour was seen to its end, stored whether it has a row.
    """

    point: Point
    complete: bool = True
    stored: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """What the recorder has for one entity.

    hours are in order. current is the newest hour, if it has no row yet, with its first
    point.
    """

    hours: Mapping[datetime, RecordedHour]
    current: tuple[datetime, Point] | None = None

    @property
    def points(self) -> Iterator[tuple[datetime, Point, bool]]:
        """Yield hour, point, and whether the hour is complete, oldest first."""
        for hour, row in self.hours.items():
            yield hour, row.point, row.complete
        if self.current is not None:
            yield *self.current, True


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Hours without a complete row: from start (None: the beginning) up to end.

    left is the last point before that, None if nothing was recorded, and right the
    first one after it, of the hour right_hour.
    """

    start: datetime | None
    end: datetime
    left: Point | None
    right: Point | None
    right_hour: datetime | None


def hour_of(time: datetime) -> datetime:
    """Return the start of the hour that a time belongs to, in UTC."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def find_gaps(series: Series, start: datetime | None, end: datetime) -> tuple[Gap, ...]:
    """Return the gaps of a series from the hour start (None: any) up to the hour end.

    There are none if nothing was recorded at all: imported rows would not connect to
    the first row that Home Assistant writes itself.
    """
    points = list(series.points)
    if not points:
        return ()
    first, point, _ = points[0]
    gaps = [Gap(start=None, end=first, left=None, right=point, right_hour=first)]
    for (hour, left, complete), (right_hour, right, _) in pairwise(points):
        begin = hour + HOUR if complete else hour
        gaps.append(
            Gap(
                start=begin,
                end=right_hour,
                left=left,
                right=right,
                right_hour=right_hour,
            )
        )
    hour, left, complete = points[-1]
    if series.current is None:
        begin = hour + HOUR if complete else hour
        gaps.append(Gap(start=begin, end=end, left=left, right=None, right_hour=None))
    clipped = (_clip(gap, start, end) for gap in gaps)
    return tuple(gap for gap in clipped if gap is not None)


def _clip(gap: Gap, start: datetime | None, end: datetime) -> Gap | None:
    """Return the part of a gap within a span, None if there is none."""
    begins = [time for time in (gap.start, start) if time is not None]
    begin, end = max(begins, default=None), min(gap.end, end)
    if begin is not None and begin >= end:
        return None
    return Gap(
        start=begin,
        end=end,
        left=gap.left,
        right=gap.right,
        right_hour=gap.right_hour,
    )
