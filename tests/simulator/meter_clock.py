"""The meter's own clock: how far it is ahead of the true time, and when it was set."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import NamedTuple


class ClockStep(NamedTuple):
    """The clock was set at a true time (Unix), forward or back (seconds below 0)."""

    time: float
    seconds: float


class Setting(NamedTuple):
    """A step on the clock's own face: what it showed before and after."""

    time: float
    before: float
    after: float


class _Stretch(NamedTuple):
    """A time in which the clock was not set: true start and end, seconds ahead."""

    start: float
    end: float
    offset: float


@dataclass(frozen=True)
class MeterClock:
    """The clock through all times; ``offset`` is how far it is ahead after all steps."""

    offset: float = 0.0
    steps: tuple[ClockStep, ...] = ()

    @cached_property
    def _stretches(self) -> list[_Stretch]:
        steps = sorted(self.steps)
        offset = self.offset - sum(step.seconds for step in steps)
        edges = pairwise((-inf, *(step.time for step in steps), inf))
        changes = (0.0, *(step.seconds for step in steps))
        stretches = []
        for (start, end), change in zip(edges, changes, strict=True):
            offset += change
            stretches.append(_Stretch(start, end, offset))
        return stretches

    def true_time(self, shown: float) -> int:
        """Return the first true second at which the clock showed a time or a later one.

        In a time that the clock was set over, that is when it was set.
        """
        for start, end, offset in self._stretches:
            if shown < end + offset:
                return int(max(start, shown - offset))
        raise AssertionError  # the last stretch has no end

    def reached(self, time: float) -> float:
        """Return the latest that the clock has shown up to a true time."""
        return max(
            min(time, end) + offset
            for start, end, offset in self._stretches
            if start <= time
        )

    def settings(self) -> list[Setting]:
        """Return all steps as the clock showed them, oldest first."""
        return [
            Setting(
                after.start, after.start + before.offset, after.start + after.offset
            )
            for before, after in pairwise(self._stretches)
        ]
