"""From load profile readings to rows of long-term statistics: pure functions.

A row belongs to an hour, by its start. Its state is the reading at the hour's end, and
its sum what was counted since the statistics began, so that the difference of two sums
is the consumption in between.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from math import isclose
from types import MappingProxyType
from typing import Final

from ..osgp import LoadProfileInterval
from .gaps import Gap, Point, Series
from .spans import EVER, HOUR, Span, hour_of
from .way import TOLERANCE, Counting, Reading, on_the_way

_SAME: Final = 1e-6
"""Rows that differ by at most this much are not written again."""


class Skip(StrEnum):
    """Why a missing hour is not written."""

    NO_READING = "no_reading"
    """The load profile has no usable reading at its end."""
    CONTRADICTS = "contradicts"
    """The reading does not lie on the way between its neighbours."""
    BEFORE_RESET = "before_reset"
    """The register was reset after it."""
    SUMS_DO_NOT_FIT = "sums_do_not_fit"
    """The sums around the gap do not fit the readings: somebody has changed them."""
    NOT_BACK_YET = "not_back_yet"
    """Home Assistant has recorded nothing after the gap yet."""


type Terms = Mapping[str, float]
"""Channels of the load profile by key, with the factor of each in a sum."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row to write."""

    hour: datetime
    state: float
    sum: float


@dataclass(frozen=True, slots=True)
class Adjustment:
    """What to add to the sums of all that was recorded from an hour on."""

    hour: datetime
    amount: float


@dataclass(frozen=True, slots=True)
class Filling:
    """What fills the gaps of an entity: adjustments first, then rows.

    carried are rows of hours without a reading, which Home Assistant has made up: they
    go on from the row before. hours are those that have their reading now, whether it
    was there already or is written.
    """

    adjustments: tuple[Adjustment, ...] = ()
    rows: tuple[Row, ...] = ()
    carried: tuple[Row, ...] = ()
    hours: tuple[datetime, ...] = ()
    skipped: Counter[Skip] = field(default_factory=Counter)


def readings_of(
    intervals: Iterable[LoadProfileInterval],
    terms: Terms,
    present: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Reading, ...]:
    """Return the usable readings of a register, or a sum of some, oldest first.

    present has the present readings of the parts of a sum. Where a part exceeds it, the
    part was reset or has rolled over since, and the sum was another one. No register is
    known to show a sum below 0.

    The last reading in an hour closes it if no further interval could have ended in it:
    if the interval that ends with the hour is missing, so is the hour.
    """
    found: dict[datetime, Reading] = {}
    for interval in intervals:
        if not terms.keys() <= interval.values.keys():
            continue
        value = sum(factor * interval.values[key] for key, factor in terms.items())
        if len(terms) > 1 and (
            value < 0
            or any(interval.values[key] > present[key] + TOLERANCE for key in terms)
        ):
            continue
        last = hour_of(interval.end - timedelta.resolution) + HOUR - interval.length
        found[interval.end] = Reading(interval.end, value, interval.end > last)
    return tuple(found[time] for time in sorted(found))


def fill(
    series: Series,
    gaps: Iterable[Gap],
    readings: Sequence[Reading],
    counting: Counting,
    *,
    memory: timedelta,
    within: Span,
    reach: datetime = EVER,
) -> Filling:
    """Return what to write so that gaps are filled with readings of the load profile.

    Only hours within a span are written; readings beside it tell what lies on the way.
    memory is how long Home Assistant remembers sums between two rows: after a longer
    gap it has started at 0 again, which is corrected. reach is when the load profile
    begins. Rows that are already right are left out.
    """
    adjustments: list[Adjustment] = []
    rows: list[Row] = []
    carried: list[Row] = []
    hours: list[datetime] = []
    skipped: Counter[Skip] = Counter()
    shift = 0.0
    for gap in gaps:
        begin, end = max(gap.start or EVER, within[0]), min(gap.end, within[1])
        if begin >= end:
            continue
        inside = [
            reading for reading in readings if gap.span[0] < reading.time <= gap.span[1]
        ]
        closing = [
            hour
            for reading in inside
            if reading.closes_hour
            and begin <= (hour := hour_of(reading.time - timedelta.resolution)) < end
        ]
        if gap.start is not None or begin > EVER:
            existing = (end - max(begin, min(hour_of(reach), end))) // HOUR
            skipped[Skip.NO_READING] += max(0, existing - len(set(closing)))
        if (corrected := _corrected_from(gap, counting)) is not None:
            skipped[Skip.SUMS_DO_NOT_FIT] += sum(hour >= corrected for hour in closing)
            closing = [hour for hour in closing if hour < corrected]
            gap = replace(
                gap, end=corrected, right=gap.stale[corrected], right_hour=corrected
            )
            end = min(gap.end, within[1])
        if gap.right is None or gap.right_hour is None:
            skipped[Skip.NOT_BACK_YET] += len(set(closing))
            continue
        places = on_the_way(
            gap.left.state if gap.left else None,
            inside,
            gap.right.state,
            gap.right_hour + HOUR,
            counting,
        )
        kept = {
            hour_of(reading.time - timedelta.resolution): reading
            for reading in inside
            if reading.closes_hour
            and reading.time in places
            and begin <= hour_of(reading.time - timedelta.resolution) < end
        }
        lost = Skip.BEFORE_RESET if _was_reset(gap, counting, places) else None
        for hour in set(closing) - kept.keys():
            older = places and hour < hour_of(min(places))
            skipped[lost if lost and older else Skip.CONTRADICTS] += 1
        if not kept:
            continue
        base, missing = _base(gap, gap.right, places, min(kept), counting, shift)
        if abs(missing) > TOLERANCE:
            if not _may_adjust(gap, gap.right, counting, memory):
                skipped[Skip.SUMS_DO_NOT_FIT] += len(kept)
                continue
            adjustments.append(Adjustment(_first_after(gap, begin), missing))
            shift += missing
        found = {
            hour: Row(hour, reading.value, base + places[reading.time])
            for hour, reading in kept.items()
        }
        rows += found.values()
        hours += found
        carried += _carried(gap, found, base, places, end)
    return Filling(
        tuple(adjustments),
        tuple(row for row in rows if not _is_there(series, row)),
        tuple(row for row in carried if not _is_there(series, row)),
        tuple(hours),
        +skipped,
    )


def _corrected_from(gap: Gap, counting: Counting) -> datetime | None:
    """Return the first incomplete row if somebody has corrected the sums after it.

    Where a complete row precedes the gap, _may_adjust finds that out.
    """
    if gap.left is not None or gap.right is None or not gap.stale:
        return None
    hour, point = next(iter(gap.stale.items()))
    counted = gap.right.state - point.state
    is_plain = not counting.is_reset(point.state, gap.right.state)
    if is_plain and abs(gap.right.sum - point.sum - counted) > TOLERANCE:
        return hour
    return None


def _was_reset(gap: Gap, counting: Counting, places: Mapping[datetime, float]) -> bool:
    """Return whether the older readings of a gap were taken before a reset."""
    assert gap.right
    if gap.left is None:
        return True
    return bool(places) and counting.is_reset(gap.left.state, gap.right.state)


def _base(
    gap: Gap,
    right: Point,
    places: Mapping[datetime, float],
    first: datetime,
    counting: Counting,
    shift: float,
) -> tuple[float, float]:
    """Return the sum at place 0, and what the sums after the gap lack.

    If nothing was recorded before, the sums begin at 0 with the last reading before the
    first hour that is written, or with the first one in it.
    """
    right_sum = right.sum + shift
    if gap.left is None:
        before = [
            place for time, place in places.items() if first - HOUR < time <= first
        ]
        within = [place for time, place in places.items() if time > first]
        base = -(before[-1] if before else within[0])
    elif counting.is_reset(gap.left.state, right.state) and not counting.rolls_over(
        gap.left.state, right.state
    ):
        # What Home Assistant has counted before the reset stays.
        base = right_sum - right.state
    else:
        base = gap.left.sum + shift - counting.start(gap.left.state, right.state)
    return base, base + right.state - right_sum


def _first_after(gap: Gap, begin: datetime) -> datetime:
    """Return the hour from which the sums are shifted.

    Where nothing complete was recorded before, that includes incomplete rows.
    """
    assert gap.right_hour
    if gap.left is not None:
        return gap.right_hour
    return min([hour for hour in gap.stale if hour >= begin], default=gap.right_hour)


def _may_adjust(gap: Gap, right: Point, counting: Counting, memory: timedelta) -> bool:
    """Return whether there is a known reason why the sums after a gap do not fit.

    Nothing was recorded before; the register has rolled over within it; or Home
    Assistant had forgotten the sum. Otherwise somebody has corrected the sums.
    """
    if gap.left is None or counting.rolls_over(gap.left.state, right.state):
        return True
    assert gap.start is not None
    return gap.end - gap.start > memory and right.sum < gap.left.sum + (
        right.state - gap.left.state
    )


def _carried(
    gap: Gap,
    found: Mapping[datetime, Row],
    base: float,
    places: Mapping[datetime, float],
    end: datetime,
) -> Iterable[Row]:
    """Return the rows of hours without a reading that Home Assistant has made up.

    They keep their state if it lies on the way; otherwise they go on from the row
    before. So they neither fall below it nor anticipate what was counted later.
    """
    before = min(found)
    after = {time: place for time, place in places.items() if time > before}
    last = found[before]
    for hour in sorted({*found, *gap.stale}):
        if hour in found:
            last = found[hour]
        elif before < hour < end:
            limit = min(
                (place for time, place in after.items() if time > hour + HOUR),
                default=gap.right.state if gap.right else last.state,
            )
            state = gap.stale[hour].state
            if last.state <= state and last.sum - base <= state <= limit:
                last = Row(hour, state, base + state)
            yield Row(hour, last.state, last.sum)


def _is_there(series: Series, row: Row) -> bool:
    """Return whether a row is recorded with the same values."""
    recorded = series.hours.get(row.hour)
    return recorded is not None and all(
        isclose(now, then, abs_tol=_SAME)
        for now, then in (
            (row.state, recorded.point.state),
            (row.sum, recorded.point.sum),
        )
    )
