"""The parts of an import, each a span of one data set of the load profile."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
import logging
from typing import Final

from ..osgp import (
    HostClock,
    LoadProfileBatch,
    LoadProfileDownload,
    LoadProfileInterval,
    LoadProfileSet,
    MeterError,
    RefusalError,
    best_data_set,
)
from .entities import Subject
from .rows import Terms
from .spans import Span, Spans, joined

_LOGGER = logging.getLogger(__name__)

_SEPARATE: Final = timedelta(days=1)
"""Spans that are further apart are downloaded separately."""

_LAST_DIGITS: Final = 2.5
"""Registers that count the same energy differ by no more of their last digit, as they
are not read at the same instant."""

_RETRY_PAUSE: Final = 15.0
_RETRIES: Final = 8
"""A download that failed continues where it stopped, after so many seconds, and gives
up after so many failures without progress. Meanwhile the polls recover the link."""


@dataclass(slots=True)
class Download:
    """A part of an import: what a data set tells about some subjects in a span.

    By key, terms say how each of them is computed, and reaches since when any data set
    may have readings of it. present has the present readings of channels in sums. What
    is written yet begins at written_to; intervals were read before it.
    """

    data_set: LoadProfileSet
    terms: Mapping[str, Terms]
    reaches: Mapping[str, datetime]
    present: Mapping[str, float]
    span: Span
    written_to: datetime
    intervals: list[LoadProfileInterval] = field(default_factory=list)

    def reach(self, key: str) -> datetime:
        """Return since when there may be readings."""
        return min([self.reaches[key], *(each.end for each in self.intervals)])


def reach_of(data_set: LoadProfileSet, now: datetime) -> datetime:
    """Return since when a data set may have readings, if it was always recording."""
    blocks = max(0, data_set.valid_blocks - 1) * data_set.intervals_per_block
    return now - blocks * data_set.interval


def ranked(
    sets: Iterable[LoadProfileSet], subjects: Iterable[Subject]
) -> list[LoadProfileSet]:
    """Return the data sets in the order in which they are asked, the best one first."""
    left = list(sets)
    channels = frozenset[str]().union(*(subject.channels for subject in subjects))
    order: list[LoadProfileSet] = []
    while (best := best_data_set(left, channels)) is not None:
        order.append(best)
        left.remove(best)
    return order


def ways_of(data_set: LoadProfileSet, subjects: Iterable[Subject]) -> dict[str, Terms]:
    """Return how the subjects that a data set tells about are computed, by key."""
    return {
        subject.key: way
        for subject in subjects
        if (way := subject.way(data_set)) is not None
    }


def sums_of(
    terms: Mapping[str, Terms], subjects: Mapping[str, Subject]
) -> dict[str, Terms]:
    """Return the terms of registers that are computed from several others."""
    return {
        key: way
        for key, way in terms.items()
        if len(way) > 1 and not subjects[key].is_mean
    }


def is_confirmed(
    key: str, way: Terms, present: Mapping[str, float], data_set: LoadProfileSet
) -> bool:
    """Return whether a register is the sum of others now, but for their last digits.

    They count at the same time, so it has been since one of them was reset.
    """
    digit = max(
        channel.multiplier / channel.divisor
        for channel in data_set.channels
        if channel.key in way
    )
    if not {key, *way} <= present.keys():
        return False
    total = sum(factor * present[each] for each, factor in way.items())
    return abs(present[key] - total) <= _LAST_DIGITS * digit


def parts_of(
    data_set: LoadProfileSet,
    terms: Mapping[str, Terms],
    spans: Mapping[str, Spans],
    reaches: Mapping[str, datetime],
    present: Mapping[str, float],
) -> list[Download]:
    """Return the downloads of the spans of some keys, newest first.

    Nearby ones are joined. What a key does not lack is not written.
    """
    wanted = {key: terms[key] for key, each in spans.items() if each}
    return [
        Download(data_set, wanted, dict(reaches), present, span, span[1])
        for span in joined(chain.from_iterable(spans.values()), _SEPARATE)[::-1]
    ]


async def async_batches(
    download: LoadProfileDownload, clock: HostClock
) -> AsyncIterator[LoadProfileBatch]:
    """Yield all batches of a download; continue it after failures of the link.

    Raises MeterError when the meter refuses a part, or the link stays down.
    """
    failures = 0
    while True:
        try:
            async for batch in download:
                failures = 0
                yield batch
        except RefusalError:
            raise
        except MeterError as err:
            failures += 1
            if failures > _RETRIES:
                raise
            _LOGGER.debug("The download of the load profile is paused: %s", err)
            await clock.sleep(_RETRY_PAUSE)
        else:
            return


def shift_of(drift: timedelta, interval: timedelta) -> timedelta:
    """Return by how much the times of intervals are wrong: full intervals."""
    return round(drift / interval) * interval
