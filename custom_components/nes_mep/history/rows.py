"""From load profile readings to rows of long-term statistics: pure functions.

A row belongs to an hour, by its start. Its state is the reading at the hour's end, and
its sum what was counted since the statistics began, so that the difference of two sums
is the consumption in between.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import isclose
from typing import Final

from ..osgp import LoadProfileInterval
from .gaps import HOUR, Gap, Point, Series, hour_of

_TOLERANCE: Final = 1e-3
"""Sums and readings that differ by no more are equal, in shown units."""
_SAME: Final = 1e-6
"""Rows that differ by no more need not be written again."""


class Skip(StrEnum):
    """Why a missing hour is not written."""

    NO_READING = "no_reading"
    """The load profile has no usable reading at its end."""
    CONTRADICTS = "contradicts"
    """The reading does not lie between those that Home Assistant has recorded."""
    BEFORE_RESET = "before_reset"
    """The register was reset after it."""
    SUMS_DO_NOT_FIT = "sums_do_not_fit"
    """The sums around the gap do not fit the readings: somebody has changed them."""
    NOT_BACK_YET = "not_back_yet"
    """Home Assistant has recorded nothing after the gap yet."""


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
    """What fills the gaps of an entity: adjustments first, then rows."""

    adjustments: tuple[Adjustment, ...] = ()
    rows: tuple[Row, ...] = ()
    skipped: Counter[Skip] = field(default_factory=Counter)


def hour_readings(
    intervals: Iterable[LoadProfileInterval], key: str
) -> dict[datetime, float]:
    """Return readings of a register at the ends of hours, by the start of the hour.

    That is the last reading in an hour, if no further interval could have ended in it:
    if the interval that ends with the hour is missing, so is the hour.
    """
    newest: dict[datetime, tuple[datetime, float]] = {}
    for interval in intervals:
        if (value := interval.values.get(key)) is None:
            continue
        hour = hour_of(interval.end - timedelta.resolution)
        if interval.end <= hour + HOUR - interval.length:
            continue
        if hour not in newest or newest[hour][0] < interval.end:
            newest[hour] = (interval.end, value)
    return {hour: value for hour, (_, value) in sorted(newest.items())}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How a register counts: at limit it starts again at 0; if signed, it can fall."""

    limit: float | None = None
    signed: bool = False

    def step(self, before: float, after: float) -> float:
        """Return what was counted between two readings.

        A lower reading means a roll-over if that is the shorter way; otherwise the
        register was reset and has counted from 0, as Home Assistant assumes.
        """
        if self.signed or after >= before - _TOLERANCE:
            return after - before
        if self.limit is not None and after + self.limit - before < self.limit / 2:
            return after + self.limit - before
        return after

    def is_reset(self, before: float, after: float) -> bool:
        """Return whether the register was reset between two readings."""
        return self.step(before, after) == after != after - before

    def is_plain(self, before: float, after: float) -> bool:
        """Return whether what was counted is just the difference."""
        return self.step(before, after) == after - before

    def is_between(self, before: float, reading: float, after: float) -> bool:
        """Return whether a reading lies between two others, as the register counts."""
        way = self.step(before, reading) + self.step(reading, after)
        return isclose(way, self.step(before, after), abs_tol=_TOLERANCE)


def fill(
    series: Series,
    gaps: Iterable[Gap],
    readings: Mapping[datetime, float],
    counting: Counting,
    *,
    memory: timedelta,
) -> Filling:
    """Return what to write so that gaps are filled with readings of the load profile.

    memory is how long Home Assistant remembers sums between two rows: after a longer
    gap it has started at 0 again, which is corrected. Rows that are already right are
    left out.
    """
    adjustments: list[Adjustment] = []
    rows: list[Row] = []
    skipped: Counter[Skip] = Counter()
    shift = 0.0
    for gap in gaps:
        hours = {
            hour: value
            for hour, value in readings.items()
            if hour < gap.end and (gap.start is None or hour >= gap.start)
        }
        if gap.start is not None:
            skipped[Skip.NO_READING] += (gap.end - gap.start) // HOUR - len(hours)
        if gap.right is None or gap.right_hour is None:
            skipped[Skip.NOT_BACK_YET] += len(hours)
            continue
        kept = _consistent(gap, gap.right, hours, counting, skipped)
        if not kept:
            continue
        right_sum, found = _sums(gap, gap.right, kept, counting, shift)
        missing = right_sum - (gap.right.sum + shift)
        if abs(missing) > _TOLERANCE:
            if not _may_adjust(gap, gap.right, counting, memory):
                skipped[Skip.SUMS_DO_NOT_FIT] += len(kept)
                continue
            adjustments.append(Adjustment(gap.right_hour, missing))
            shift += missing
        rows += found
    return Filling(
        tuple(adjustments),
        tuple(row for row in rows if not _is_there(series, row)),
        +skipped,
    )


def _consistent(
    gap: Gap,
    right: Point,
    hours: Mapping[datetime, float],
    counting: Counting,
    skipped: Counter[Skip],
) -> dict[datetime, float]:
    """Return the readings that agree with what was recorded around a gap.

    They are checked from the newest one backwards: each must lie between the left point
    and the next reading.
    """
    kept: dict[datetime, float] = {}
    after = right.state
    for number, (hour, value) in enumerate(sorted(hours.items(), reverse=True)):
        if gap.left is None:
            if counting.is_reset(value, after):
                skipped[Skip.BEFORE_RESET] += len(hours) - number
                break
        elif not counting.is_between(gap.left.state, value, after):
            skipped[Skip.CONTRADICTS] += 1
            continue
        kept[hour] = after = value
    return dict(sorted(kept.items()))


def _sums(
    gap: Gap,
    right: Point,
    readings: Mapping[datetime, float],
    counting: Counting,
    shift: float,
) -> tuple[float, list[Row]]:
    """Return the sum that the right point should have, and the rows of a gap.

    If nothing was recorded before, the sums begin at 0 with the oldest reading.
    """
    rows: list[Row] = []
    if gap.left is None:
        state, total = next(iter(readings.values())), 0.0
    else:
        state, total = gap.left.state, gap.left.sum + shift
    for hour, value in readings.items():
        total += counting.step(state, value)
        state = value
        rows.append(Row(hour, value, total))
    return total + counting.step(state, right.state), rows


def _may_adjust(gap: Gap, right: Point, counting: Counting, memory: timedelta) -> bool:
    """Return whether there is a known reason why the sums after a gap do not fit.

    Nothing was recorded before; the register has started again at 0 within it; or Home
    Assistant had forgotten the sum. Otherwise somebody has corrected the sums.
    """
    if gap.left is None or not counting.is_plain(gap.left.state, right.state):
        return True
    assert gap.start is not None
    return gap.end - gap.start > memory and right.sum < gap.left.sum + (
        right.state - gap.left.state
    )


def _is_there(series: Series, row: Row) -> bool:
    """Return whether a row is recorded with the same values."""
    recorded = series.hours.get(row.hour)
    return (
        recorded is not None
        and recorded.stored
        and all(
            isclose(now, then, abs_tol=_SAME)
            for now, then in (
                (row.state, recorded.point.state),
                (row.sum, recorded.point.sum),
            )
        )
    )
