"""How far a meter's clock must be ahead, by what its load profile has recorded."""

from datetime import datetime, timedelta
from typing import Final

from ..osgp import Meter

_RECORDED_AFTER: Final = timedelta(minutes=2)
"""How long after the end of an interval it is certainly recorded."""


async def async_estimate_drift(meter: Meter, now: datetime) -> timedelta:
    """Return how far the clock of a meter must be ahead at the least: it is not read.

    The newest interval shows when its data set last recorded, by the meter's clock. now
    is the host's time. Raises MeterError.
    """
    sets = [each for each in await meter.read_load_profile_sets() if each.active]
    if not sets:
        return timedelta()
    shortest = min(sets, key=lambda each: each.interval)
    async for batch in meter.load_profile(data_set=shortest):
        if batch.intervals:
            return least_drift(batch.intervals[0].end, shortest.interval, now)
    return timedelta()


def least_drift(newest: datetime, interval: timedelta, now: datetime) -> timedelta:
    """Return how far a clock must be ahead, negative if it is behind, at the least.

    newest is the end of the newest of its intervals of that length, and now the host's
    time. It is zero if the clock may be right.
    """
    least = newest - now
    most = least + interval + _RECORDED_AFTER
    return max(least, min(most, timedelta()))
