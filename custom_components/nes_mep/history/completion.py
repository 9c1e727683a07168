"""What a statistic lacks, and what completes it. All of it waits for the database."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from homeassistant.core import HomeAssistant

from ..osgp import LoadProfileInterval
from .entities import Subject
from .gaps import RecordedHour, find_gaps
from .means import MeanRow, mean_rows, missing_means
from .recorder import (
    Known,
    Recorded,
    RecordedMeans,
    async_write,
    async_write_means,
    read,
    read_means,
    sum_retention,
)
from .rows import Filling, Skip, Terms, fill, readings_of
from .spans import EVER, HOUR, Span, Spans, common, hour_of, joined
from .way import Counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What a statistic lacks.

    is_back says whether something was recorded after all of that. oldest is its oldest
    row that was read, rows are all that were read of a register.
    """

    spans: Spans
    number: int
    is_known: bool
    is_back: bool = True
    oldest: datetime | None = None
    rows: dict[datetime, RecordedHour] = field(default_factory=dict)


def find_missing(
    hass: HomeAssistant,
    subject: Subject,
    known: Known,
    since: datetime,
    limits: Spans,
) -> Missing | None:
    """Return what is missing within limits, None where there are no statistics.

    What was recorded before since need not be read.
    """
    if subject.is_mean:
        means = read_means(hass, subject.statistic, known, since)
        if means is None:
            return None
        imported = known.imported if means.is_known else ()
        return Missing(
            spans=missing_means(means.hours, known.interruptions, imported, limits),
            number=means.number,
            is_known=means.is_known,
            oldest=min(means.hours, default=None),
        )
    if (recorded := read(hass, subject.statistic, known, since)) is None:
        return None
    end = limits[-1][1] if limits else EVER
    gaps = find_gaps(recorded.series, end)
    return Missing(
        spans=common(limits, joined(gap.span for gap in gaps)),
        number=recorded.number,
        is_known=recorded.is_known,
        is_back=all(gap.right is not None for gap in gaps),
        oldest=min(recorded.series.hours, default=None),
        rows=dict(recorded.series.hours),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was read of the load profile about a subject, and how to understand it.

    present are the present readings of the parts of a sum. end is the end of what is to
    be completed, and reach since when the load profile may have readings.
    """

    intervals: Sequence[LoadProfileInterval]
    terms: Terms
    present: Mapping[str, float]
    counting: Counting
    end: datetime
    reach: datetime


@dataclass(frozen=True, slots=True)
class Completion:
    """What completes a statistic; hours have their reading then, rows are to be written."""

    recorded: Recorded | RecordedMeans
    filling: Filling = field(default_factory=Filling)
    means: tuple[MeanRow, ...] = ()

    @property
    def rows(self) -> tuple[datetime, ...]:
        """The hours that are written."""
        hours = tuple(row.hour for row in self.filling.rows)
        return hours + tuple(row.hour for row in self.means)

    @property
    def hours(self) -> tuple[datetime, ...]:
        """The hours that are right then, whether they are written or not."""
        return self.filling.hours + tuple(row.hour for row in self.means)

    async def async_write(self, hass: HomeAssistant, subject: Subject) -> None:
        """Write it."""
        if isinstance(self.recorded, RecordedMeans):
            await async_write_means(hass, self.recorded, self.means)
        else:
            await async_write(hass, subject.statistic, self.recorded, self.filling)


def complete(
    hass: HomeAssistant, subject: Subject, known: Known, told: Told, span: Span
) -> Completion | None:
    """Return what completes the hours in a span, None where there are no statistics."""
    if subject.is_mean:
        means = read_means(hass, subject.statistic, known, span[0])
        return None if means is None else _complete_means(means, known, told, span)
    if (recorded := read(hass, subject.statistic, known, span[0])) is None:
        return None
    filling = fill(
        recorded.series,
        find_gaps(recorded.series, told.end),
        readings_of(told.intervals, told.terms, told.present),
        told.counting,
        memory=sum_retention(hass),
        within=span,
        reach=told.reach,
    )
    return Completion(recorded, filling)


def _complete_means(
    recorded: RecordedMeans, known: Known, told: Told, span: Span
) -> Completion:
    """Return the rows of the hours that are missing, and count those without."""
    missing = missing_means(
        recorded.hours, known.interruptions, known.imported, joined([span])
    )
    rows = [
        row
        for begin, end in missing
        for row in mean_rows(told.intervals, told.terms, (begin, end))
    ]
    skipped = Counter({Skip.NO_READING: _hours_in(missing, told.reach) - len(rows)})
    return Completion(recorded, Filling(skipped=+skipped), tuple(rows))


def _hours_in(spans: Iterable[Span], since: datetime) -> int:
    """Return how many hours there are in spans, since the first full one after a time."""
    first = hour_of(since) + HOUR
    return sum(max(0, (end - max(begin, first)) // HOUR) for begin, end in spans)
