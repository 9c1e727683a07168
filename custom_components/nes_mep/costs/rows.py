"""From energy and prices to rows of Energy's cost statistics: pure functions.

Energy prices each change of an energy entity at that moment. So an hour that Home
Assistant missed costs nothing there, and the hour after the gap costs too much or too
little: both are priced again, and the sums of all later hours follow.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from math import isclose
from typing import Final

from ..history.rows import Adjustment
from ..history.spans import HOUR
from .prices import Prices

_SAME: Final = 1e-6
"""Sums and rows that differ by at most this much count as equal."""
_TOLERANCE: Final = 1e-3
"""How far a reading may lie outside of those around it, in kWh: they are rounded."""
_SEPARATE: Final = timedelta(days=1)
"""What is further apart is read separately."""


class CostSkip(StrEnum):
    """Why an hour is not priced."""

    NO_PRICE = "no_price"
    """The price is not known all the time."""
    NO_ENERGY = "no_energy"
    """Nobody knows how its energy is spread over the different prices."""
    NOT_BACK_YET = "not_back_yet"
    """The cost entity has recorded nothing after it yet."""
    NO_COST_SERIES = "no_cost_series"
    """Energy has no cost entity, or that has no statistics."""
    OTHER_CURRENCY = "other_currency"
    """The costs are recorded in another currency than that of Home Assistant."""


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """What an energy entity counted up to the end of an hour, in kWh.

    start is the end of the row before, reading the register at the end of the hour.
    """

    start: datetime
    end: datetime
    energy: float
    reading: float

    @property
    def is_nothing(self) -> bool:
        """Whether nothing was counted, apart from rounding errors."""
        return abs(self.energy) < _SAME


@dataclass(frozen=True, slots=True)
class CostRow:
    """A row of a cost entity. What Energy has recorded itself has a last_reset."""

    state: float
    sum: float
    last_reset: datetime | None


@dataclass(frozen=True, slots=True)
class CostSeries:
    """What a cost entity has recorded: rows by hour, in order.

    newest is the start of the newest 5-minute row.
    """

    rows: Mapping[datetime, CostRow] = field(default_factory=dict)
    newest: datetime | None = None

    @property
    def begin(self) -> datetime | None:
        """The hour in which Energy began to record costs."""
        return next((hour for hour, row in self.rows.items() if row.last_reset), None)

    def before(self, hour: datetime) -> CostRow | None:
        """Return the last row before an hour."""
        hours = list(self.rows)
        number = bisect_left(hours, hour)
        return self.rows[hours[number - 1]] if number else None


@dataclass(frozen=True, slots=True)
class CostFilling:
    """What gives hours their costs: adjustments first, then rows by hour.

    hours are those that were priced, before and after what they cost in all.
    """

    adjustments: tuple[Adjustment, ...] = ()
    rows: Mapping[datetime, CostRow] = field(default_factory=dict)
    hours: tuple[datetime, ...] = ()
    before: float = 0.0
    after: float = 0.0
    skipped: Counter[CostSkip] = field(default_factory=Counter)


def hours_to_price(
    series: CostSeries,
    energies: Mapping[datetime, EnergyRow],
    imported: AbstractSet[datetime],
    is_asked: Callable[[datetime], bool],
) -> list[datetime]:
    """Return the hours that are to be priced: those asked for that have no true cost.

    These are the hours before Energy began, and the imported ones after that. The hour
    in which Energy began and the hour after each gap belong to them: their recorded
    cost is that of a part of the hour, or of the gap as well. A gap is priced as a
    whole.
    """
    order, begin = sorted(energies), series.begin
    found = {hour for hour in order if begin is None or hour < begin}
    found = {hour for hour in found if is_asked(hour)}
    if begin is None:
        return sorted(found)
    past = bisect_left(order, begin)
    if past and order[past - 1] in found:
        found.add(begin)
    gap: list[datetime] = []
    for hour in [*order[past:], None]:
        if hour is not None and hour in imported:
            gap.append(hour)
            continue
        if any(is_asked(each) for each in gap):
            found |= _hours(gap[0], hour or gap[-1] + HOUR)
        gap = []
    return sorted(found)


def _hours(first: datetime, last: datetime) -> set[datetime]:
    """Return the hours from the first to the last one."""
    return {first + number * HOUR for number in range((last - first) // HOUR + 1)}


def costs_of_hours(
    hours: Iterable[datetime],
    energies: Mapping[datetime, EnergyRow],
    prices: Prices,
    readings: Mapping[datetime, float],
    interval: timedelta,
) -> dict[datetime, float | CostSkip]:
    """Return what each of these hours cost; see cost_of.

    An hour without a row of energy costs nothing: the next row has its energy.
    """
    newest = max(energies, default=None)
    return {
        hour: cost_of(row, prices, readings, interval)
        if (row := energies.get(hour)) is not None
        else CostSkip.NOT_BACK_YET
        if newest is None or newest < hour
        else 0.0
        for hour in hours
    }


def cost_of(
    row: EnergyRow,
    prices: Prices,
    readings: Mapping[datetime, float],
    interval: timedelta,
) -> float | CostSkip:
    """Return what the energy of a row cost.

    readings are those of the load profile by time, and interval is their distance; both
    are needed only where the price changes within the row. Within an interval, which is
    the finest that the meter knows, the mean price counts.
    """
    if row.is_nothing:
        return 0.0
    during = prices.during(row.start, row.end)
    if not during:
        return CostSkip.NO_PRICE
    if len(during) == 1:
        return row.energy * during[0].value
    points = [
        (row.start, row.reading - row.energy),
        *sorted(
            (at, value) for at, value in readings.items() if row.start < at < row.end
        ),
        (row.end, row.reading),
    ]
    cost = 0.0
    for (start, before), (end, after) in pairwise(points):
        inner = prices.during(start, end)
        if after < before - _TOLERANCE or (len(inner) > 1 and end - start > interval):
            return CostSkip.NO_ENERGY
        mean = prices.mean(start, end)
        assert mean is not None
        cost += (after - before) * mean
    return cost


def spans_to_read(
    hours: Iterable[datetime], energies: Mapping[datetime, EnergyRow], prices: Prices
) -> list[tuple[datetime, datetime]]:
    """Return the spans whose load profile is needed: the price changes within a row.

    What lies close together is joined.
    """
    spans: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        row = energies.get(hour)
        if row is None or row.is_nothing:
            continue
        if len(prices.during(row.start, row.end)) < 2:
            continue
        if spans and row.start <= spans[-1][1] + _SEPARATE:
            spans[-1] = (spans[-1][0], row.end)
        else:
            spans.append((row.start, row.end))
    return spans


def fill_costs(
    series: CostSeries, costs: Mapping[datetime, float | CostSkip]
) -> CostFilling:
    """Return what to write so that hours cost what they do, given by hour.

    Consecutive hours are a block. It is written as a whole or not at all: a sum over an
    hour whose cost is not known would be wrong. Only the past before Energy began can
    start after such an hour.
    """
    adjustments: list[Adjustment] = []
    rows: dict[datetime, CostRow] = {}
    hours: list[datetime] = []
    skipped: Counter[CostSkip] = Counter()
    shift = cost_before = cost_after = 0.0
    for block in _blocks(costs):
        end = block[-1] + HOUR
        if series.begin is None or series.newest is None or series.newest < end:
            skipped[CostSkip.NOT_BACK_YET] += len(block)
            continue
        kept = _known(series, block, costs, skipped)
        if not kept:
            continue
        left, right = series.before(min(kept)), series.before(end)
        state, total = (left.state, left.sum + shift) if left else (shift, shift)
        begin_sum, end_sum = total, (right.sum if right else 0.0) + shift
        for hour, cost in kept.items():
            state, total = state + cost, total + cost
            rows[hour] = CostRow(state, total, left.last_reset if left else None)
        cost_before += end_sum - begin_sum
        cost_after += total - begin_sum
        hours += kept
        if abs(total - end_sum) > _SAME:
            adjustments.append(Adjustment(end, total - end_sum))
            shift += total - end_sum
    return CostFilling(
        tuple(adjustments),
        {hour: row for hour, row in rows.items() if not _is_there(series, hour, row)},
        tuple(hours),
        cost_before,
        cost_after,
        +skipped,
    )


def _blocks(hours: Iterable[datetime]) -> list[list[datetime]]:
    """Return the runs of consecutive hours, in order."""
    blocks: list[list[datetime]] = []
    for hour in sorted(hours):
        if blocks and blocks[-1][-1] + HOUR == hour:
            blocks[-1].append(hour)
        else:
            blocks.append([hour])
    return blocks


def _known(
    series: CostSeries,
    block: list[datetime],
    costs: Mapping[datetime, float | CostSkip],
    skipped: Counter[CostSkip],
) -> dict[datetime, float]:
    """Return the costs of the hours of a block that can be written; count the others."""
    first = 0
    for number, hour in enumerate(block):
        if isinstance(reason := costs[hour], CostSkip):
            is_past = series.begin is not None and hour < series.begin
            end = number + 1 if is_past else len(block)
            skipped[reason] += end - first
            first = end
            if not is_past:
                break
    return {
        hour: cost
        for hour in block[first:]
        if not isinstance(cost := costs[hour], CostSkip)
    }


def _is_there(series: CostSeries, hour: datetime, row: CostRow) -> bool:
    """Return whether a row is recorded with the same values."""
    recorded = series.rows.get(hour)
    return (
        recorded is not None
        and isclose(row.state, recorded.state, abs_tol=_SAME)
        and isclose(row.sum, recorded.sum, abs_tol=_SAME)
    )
