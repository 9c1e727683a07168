"""Read the boundaries of intervals from the load profile."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from ..history.downloads import async_batches
from ..osgp import HostClock, LoadProfileInterval, LoadProfileSet, Meter, best_data_set

DEFAULT_INTERVAL: Final = timedelta(minutes=15)
INTERVALS: Final = (DEFAULT_INTERVAL, timedelta(minutes=60))
"""The lengths of the intervals of tariffs."""


def suggested_interval(
    sets: Iterable[LoadProfileSet], keys: Collection[str]
) -> timedelta:
    """Return the length of the intervals that a load profile suggests for registers."""
    best = best_data_set(
        (each for each in sets if each.interval in INTERVALS and _has_any(each, keys)),
        keys,
    )
    return DEFAULT_INTERVAL if best is None else best.interval


def usable_set(
    sets: Iterable[LoadProfileSet], keys: Collection[str], interval: timedelta
) -> LoadProfileSet | None:
    """Return the data set that has readings at the ends of intervals, None without one."""
    return best_data_set(
        (
            each
            for each in sets
            if not interval % each.interval and _has_any(each, keys)
        ),
        keys,
    )


def _has_any(data_set: LoadProfileSet, keys: Collection[str]) -> bool:
    return not set(keys).isdisjoint(data_set.keys)


async def async_read_intervals(
    meter: Meter,
    data_set: LoadProfileSet,
    after: datetime,
    until: datetime,
    clock: HostClock,
) -> list[LoadProfileInterval]:
    """Return the intervals that end after a time and not after another.

    Failures of the link are waited out. Raises MeterError if it stays down.
    """
    # What the data set holds has changed since it was read.
    download = meter.load_profile(after, until, data_set=replace(data_set, status=None))
    found: list[LoadProfileInterval] = []
    async for batch in async_batches(download, clock):
        found += batch.intervals
    return found


def newest_end(intervals: Iterable[LoadProfileInterval], key: str) -> datetime | None:
    """Return the end of the newest interval in which a channel was recorded."""
    return max((each.end for each in intervals if key in each.values), default=None)
