"""Which intervals are recorded, and in which block: arithmetic, no values.

Intervals are numbered from the set's first block on: interval k ends at ``end(k)``.
Grid block g has the intervals from g x m to (g + 1) x m. Those without any recorded
interval are not in the meter; the others follow each other in the circular list.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from .data_set import DataSet

DAY = 86400


class Run(NamedTuple):
    """Consecutive numbers, ``stop`` excluded."""

    start: int
    stop: int


def _merged(runs: Iterable[Run]) -> list[Run]:
    """Return runs in order, joined where they touch; empty ones are dropped."""
    merged: list[Run] = []
    for run in sorted(run for run in runs if run.start < run.stop):
        if merged and run.start <= merged[-1].stop:
            merged[-1] = Run(merged[-1].start, max(merged[-1].stop, run.stop))
        else:
            merged.append(run)
    return merged


def _without(whole: Run, gaps: Iterable[Run]) -> list[Run]:
    """Return what gaps leave of a run."""
    left, start = [], whole.start
    for gap in _merged(gaps):
        if start < gap.start:
            left.append(Run(start, min(gap.start, whole.stop)))
        start = max(start, gap.stop)
    left.append(Run(start, whole.stop))
    return [run for run in left if run.start < run.stop]


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the intervals of a data set are in time; ``configured`` is Unix time."""

    data_set: DataSet
    configured: int

    @property
    def origin(self) -> int:
        """When the first block began: the requested hour before the configuration."""
        hour, minute = self.data_set.start
        shift = hour * 3600 + minute * 60
        return (self.configured - shift) // DAY * DAY + shift

    def end(self, number: int) -> int:
        """Return when an interval ends."""
        return self.origin + (number + 1) * self.data_set.seconds

    def ends_within(self, after: float, until: float) -> Run:
        """Return the intervals that end after a time, but not after another."""
        length = self.data_set.seconds
        start = int((after - self.origin) // length)
        return Run(start, max(start, int((until - self.origin) // length)))


class Recording:
    """The recorded intervals of one data set at one moment."""

    def __init__(self, grid: Grid, now: float, gaps: Iterable[Run]) -> None:
        """Treat everything since the configuration but the gaps as recorded."""
        self.grid = grid
        self.data_set = grid.data_set
        whole = Run(0, 0)
        if self.data_set.blocks:
            whole = grid.ends_within(grid.configured, max(now, grid.configured))
        self.runs = _without(whole, gaps)
        size = max(1, self.data_set.intervals)
        self._grid_blocks = _merged(
            Run(run.start // size, (run.stop - 1) // size + 1) for run in self.runs
        )

    @property
    def total(self) -> int:
        """How many blocks were ever begun."""
        return sum(run.stop - run.start for run in self._grid_blocks)

    @property
    def valid(self) -> int:
        """How many blocks the meter still has."""
        return min(self.total, self.data_set.blocks)

    @property
    def last_slot(self) -> int:
        """Index of the newest block in the table."""
        return (self.total - 1) % self.data_set.blocks if self.total else 0

    def recorded(self, number: int) -> bool:
        """Tell whether an interval is recorded."""
        place = bisect_right(self.runs, number, key=lambda run: run.start)
        return place > 0 and number < self.runs[place - 1].stop

    def intervals(self, block: int) -> list[int]:
        """Return the recorded intervals of the n-th block that was begun."""
        size = self.data_set.intervals
        first = self.grid_block(block) * size
        return [n for n in range(first, first + size) if self.recorded(n)]

    def grid_block(self, block: int) -> int:
        """Return where on the grid the n-th block is that was begun (from 0 on)."""
        for run in self._grid_blocks:
            if block < run.stop - run.start:
                return run.start + block
            block -= run.stop - run.start
        raise IndexError(block)

    def newest_in(self, slot: int) -> int | None:
        """Return which block is in a place of the table, None for none yet."""
        if slot >= self.valid:
            return None
        return self.total - 1 - (self.last_slot - slot) % self.data_set.blocks

    def available(self) -> list[int]:
        """Return the recorded intervals that are still in the table, oldest first."""
        oldest = self.total - self.valid
        if not self.valid:
            return []
        first = self.grid_block(oldest) * self.data_set.intervals
        return [
            number
            for run in self.runs
            for number in range(max(run.start, first), run.stop)
        ]
