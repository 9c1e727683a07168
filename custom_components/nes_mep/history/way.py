"""Which readings of the load profile lie on the way of a register: pure functions.

A register counts upwards. It starts again at 0 when it rolls over at its last digit, or
when it is reset. A reading counts only if it lies between its neighbours: the ones that
Home Assistant has recorded, and those of the load profile itself.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from .spans import HOUR

TOLERANCE: Final = 1e-3
"""Sums and readings that differ by at most this much count as equal, in shown units."""
_RESET: Final = 0.9
"""Home Assistant takes a reading for a reset below this part of the one before."""
_ROLL_OVER: Final = 0.02
"""A reset looks like a roll-over if the jump covers at most this share of the range."""
_MOST_PER_HOUR: Final = 10.0
"""What a home may use in an hour, in shown units (kWh): a smaller step is no jump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How a register counts: at limit it starts again at 0; if signed, it can fall."""

    limit: float | None = None
    signed: bool = False

    def is_reset(self, before: float, after: float) -> bool:
        """Return whether Home Assistant takes a reading for a new beginning at 0."""
        return not self.signed and after < _RESET * before - TOLERANCE

    def rolls_over(self, before: float, after: float) -> bool:
        """Return whether a new beginning was a roll-over, and not a reset."""
        return (
            self.is_reset(before, after)
            and self.limit is not None
            and 0 <= after + self.limit - before <= _ROLL_OVER * self.limit
        )

    def start(self, left: float, right: float) -> float:
        """Return where the way to a reading begins, on the scale of that reading."""
        if self.rolls_over(left, right):
            assert self.limit is not None
            return left - self.limit
        return 0.0 if self.is_reset(left, right) else left


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading at a time.

    closes_hour says that no further interval could have ended in the same hour.
    """

    time: datetime
    value: float
    closes_hour: bool = True


def on_the_way(
    left: float | None,
    readings: Sequence[Reading],
    right: float,
    right_time: datetime,
    counting: Counting,
) -> dict[datetime, float]:
    """Return where the readings are that lie on the way, on the scale of right.

    readings are in order. left is the recorded reading before them, None if there is
    none, and right the recorded one after them, at right_time.
    """
    if counting.signed:
        return _without_detours(left, readings, right)
    lowest = None if left is None else counting.start(left, right)
    placed = [
        (reading.time, place)
        for reading in readings
        if (place := _place(reading.value, lowest, right, counting)) is not None
    ]
    chain = _undisputed(placed, is_open=left is None)
    return dict(chain if left is not None else _since_jump(chain, right_time, right))


def _place(
    value: float, lowest: float | None, right: float, counting: Counting
) -> float | None:
    """Return where a reading is on the scale of right, None if nowhere."""
    limit = counting.limit
    if value < 0 or (limit is not None and value >= limit):
        return None
    if value > right + TOLERANCE:
        if limit is None or value - limit < right - limit / 2:
            return None
        value -= limit
    if lowest is not None and value < lowest - TOLERANCE:
        return None
    return min(round(value, 6), right)


def _undisputed(
    placed: Sequence[tuple[datetime, float]], *, is_open: bool
) -> list[tuple[datetime, float]]:
    """Return what belongs to every longest sequence that does not fall.

    A bad reading contradicts all the good ones around it; where two contradict each
    other and nothing else tells which is right, neither counts. is_open says that
    nothing is known before: of two that may be the first, it is the one with less to
    the next.
    """
    upwards = _lengths([place for _, place in placed])
    downwards = _lengths([-place for _, place in reversed(placed)])[::-1]
    longest = max(upwards, default=0)
    longest_ones = [
        (pair, up)
        for pair, up, down in zip(placed, upwards, downwards, strict=True)
        if up + down - 1 == longest
    ]
    levels = Counter(level for _, level in longest_ones)
    firsts = [pair for pair, level in longest_ones if level == 1] if is_open else []
    first = max(firsts, key=lambda pair: pair[1], default=None)
    return [pair for pair, level in longest_ones if levels[level] == 1 or pair == first]


def _lengths(places: Sequence[float]) -> list[int]:
    """Return for each place how long the sequences can be that end there."""
    lowest_ends: list[float] = []
    lengths: list[int] = []
    for place in places:
        index = bisect_right(lowest_ends, place)
        lowest_ends[index : index + 1] = [place]
        lengths.append(index + 1)
    return lengths


def _since_jump(
    chain: list[tuple[datetime, float]], right_time: datetime, right: float
) -> list[tuple[datetime, float]]:
    """Return the readings since a jump that outweighs everything else.

    Where nothing was recorded before, nothing else tells whether the oldest readings
    belong to the register as it is. A single one proves nothing.
    """
    way = [*chain, (right_time, right)]
    steps = [after - before for (_, before), (_, after) in pairwise(way)]
    total = sum(steps)
    for index in reversed(range(len(steps))):
        (before, _), (after, place) = way[index : index + 2]
        most = max(
            _MOST_PER_HOUR * max((after - before) / HOUR, 1.0),
            (1 - _RESET) * place,
            total - steps[index],
        )
        if steps[index] > most:
            chain = chain[index + 1 :]
            break
    return chain if len(chain) > 1 else []


def _without_detours(
    left: float | None, readings: Sequence[Reading], right: float
) -> dict[datetime, float]:
    """Return the readings of a register that can fall, without single bad ones.

    A reading is bad if the way over it is longer than all the rest of the way.
    """
    kept = {reading.time: reading.value for reading in readings}
    while kept:
        times = list(kept)
        first = [left] if left is not None else []
        places = [*first, *kept.values(), right]
        steps = [abs(after - before) for before, after in pairwise(places)]
        total = sum(steps)
        ways: list[tuple[float, datetime]] = []
        for index, time in enumerate(times, len(first)):
            if index:
                over = steps[index - 1] + steps[index]
                direct = abs(places[index + 1] - places[index - 1])
                ways.append((over - direct - (total - over + direct), time))
            else:
                ways.append((steps[0] - (total - steps[0]), time))
        worst, time = max(ways)
        if worst <= TOLERANCE or len(kept) == 1:
            break
        del kept[time]
    return kept
