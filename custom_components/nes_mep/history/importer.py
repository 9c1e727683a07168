"""One import of the load profile into the statistics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain
import logging
from typing import Final

from homeassistant.components.recorder import get_instance
from homeassistant.components.sensor import SensorStateClass
from homeassistant.core import HomeAssistant

from ..descriptions import describe_register
from ..osgp import (
    REQUEST_PERIOD,
    HostClock,
    LoadProfileSet,
    Meter,
    RefusalError,
    is_out_of_reach,
)
from .completion import Missing, Told, complete, find_missing
from .downloads import (
    Download,
    async_batches,
    is_confirmed,
    parts_of,
    ranked,
    reach_of,
    shift_of,
    sums_of,
    ways_of,
)
from .drift import async_estimate_drift
from .entities import Logged, Subject, subjects_of
from .gaps import flat_spans
from .memory import HistoryMemory, Identity
from .recorder import Known, is_excluded
from .result import HistoryImport, NoLoadProfileError
from .rows import Terms
from .spans import EVER, HOUR, Span, Spans, hour_of, joined, spans_of, without
from .way import Counting

_LOGGER = logging.getLogger(__name__)

_HELD_BACK: Final = 6 * HOUR
"""The oldest hours that were read are written together with those before them, which
tell whether their readings lie on the way."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What an entity's statistics lack; is_back says that something was recorded after."""

    spans: Spans
    is_back: bool = True


type Plan = Mapping[str, Planned]
"""What is to be completed, by key."""


class HistoryImporter:
    """Fills the statistics of one meter's entities from its load profile.

    What Home Assistant has recorded stays as it is.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        meter: Meter,
        title: str,
        memory: HistoryMemory,
        *,
        clock: HostClock,
        entity_ids: Callable[[], Mapping[str, str]],
        logged: Callable[[], Mapping[str, Logged]],
        on_progress: Callable[[], None],
    ) -> None:
        """Initialize; entity_ids returns the enabled entities by key.

        logged returns where the load profile has what belongs to other meters' ones.
        on_progress is called when progress has changed. That is the percentage of the
        newest import that is done, None before the first one.
        """
        self.progress: int | None = None
        self._hass = hass
        self._meter = meter
        self._title = title
        self._memory = memory
        self._clock = clock
        self._entity_ids = entity_ids
        self._logged = logged
        self._on_progress = on_progress

    @property
    def subjects(self) -> dict[str, Subject]:
        """The entities that can get their past and are recorded, by key."""
        return {
            key: subject
            for key, subject in self._candidates.items()
            if not is_excluded(self._hass, subject.statistic.entity_id)
        }

    @property
    def excluded(self) -> tuple[str, ...]:
        """The ids of the entities that are excluded in the recorder."""
        return tuple(
            subject.statistic.entity_id
            for subject in self._candidates.values()
            if is_excluded(self._hass, subject.statistic.entity_id)
        )

    @property
    def _candidates(self) -> dict[str, Subject]:
        return subjects_of(self._entity_ids(), self._logged())

    async def async_read_drift(self) -> timedelta | None:
        """Return how far the meter's clock is ahead, None if it is out of reach.

        Raises MeterError.
        """
        try:
            return (await self._meter.read_clock()).time - self._clock.now()
        except RefusalError as err:
            if not is_out_of_reach(err):
                raise
            return None

    async def async_estimate_drift(self) -> timedelta:
        """Return how far the clock is ahead at the least. Raises MeterError."""
        return await async_estimate_drift(self._meter, self._clock.now())

    async def async_plan(
        self, end: datetime, wanted: Span | None = None
    ) -> dict[str, Planned]:
        """Return what is missing, of each entity that has statistics, by key.

        wanted limits it; without it, it is what was not checked yet.
        """
        plan: dict[str, Planned] = {}
        for key, subject in self.subjects.items():
            found = await self._async_find(subject, end, wanted)
            if found is not None:
                plan[key] = Planned(found.spans, found.is_back)
        return plan

    def without_early_means(self, plan: Plan) -> dict[str, Planned]:
        """Return a plan without means whose channels other entities still wait for."""
        subjects = self.subjects
        awaited = frozenset[str]().union(
            *(each.channels for key, each in subjects.items() if key not in plan)
        )
        return {
            key: planned
            for key, planned in plan.items()
            if key in subjects
            if not (subjects[key].is_mean and awaited & subjects[key].channels)
        }

    async def _async_find(
        self, subject: Subject, end: datetime, wanted: Span | None = None
    ) -> Missing | None:
        """Return what is missing of an entity; forget what held of another statistic."""
        checked = () if wanted else self._memory.of(subject.key).checked
        since = wanted[0] if wanted else _checked_to(checked)
        limits = without(joined([wanted or (EVER, end)]), checked)
        found = await self._async_read(subject, since, limits)
        if found is not None and not found.is_known and checked:
            return await self._async_find(subject, end)
        return found

    async def async_survey(self) -> int:
        """Look for times in which Home Assistant was off, in the rows of all registers.

        M-Bus meters are read too seldom for that.

        Return the number of hours; they are interruptions from now on.
        """
        rows = [
            found.rows
            for subject in self.subjects.values()
            if not (subject.is_mean or subject.is_foreign)
            if (found := await self._async_read(subject, EVER, ()))
        ]
        spans = await self._hass.async_add_executor_job(flat_spans, rows)
        for span in spans:
            self._memory.async_interrupted(span)
        return sum((end - begin) // HOUR for begin, end in spans)

    async def _async_read(
        self, subject: Subject, since: datetime, limits: Spans
    ) -> Missing | None:
        """Return what is missing of an entity, and remember which statistic it is."""
        found = await get_instance(self._hass).async_add_executor_job(
            find_missing, self._hass, subject, self._known(subject.key), since, limits
        )
        if found is not None:
            memory = self._memory.of(subject.key)
            if not found.is_known:
                _LOGGER.info(
                    "%s: the statistics of %s are others than before; they are checked "
                    "anew",
                    self._title,
                    subject.key,
                )
                memory.identity, memory.checked, memory.imported = None, (), ()
            if found.oldest is not None:
                self._remember(subject.key, found.number, found.oldest)
        return found

    def _known(self, key: str) -> Known:
        """Return what is known of the rows of an entity."""
        memory = self._memory.of(key)
        return Known(memory.identity, memory.imported, self._memory.interruptions)

    def _remember(self, key: str, number: int, row: datetime) -> None:
        """Remember which statistic an entity has, and its oldest row that is known."""
        memory = self._memory.of(key)
        before = memory.identity
        memory.identity = Identity(number, min(row, before.witness) if before else row)

    async def async_import(self, plan: Plan, drift: timedelta) -> HistoryImport:
        """Download what completes a plan, and write the rows as they come.

        drift is how far the meter's clock is ahead. What one data set lacks is looked
        for in the next one.
        """
        result = HistoryImport(excluded=self.excluded)
        self._show(0)
        subjects = {key: self.subjects[key] for key in plan if key in self.subjects}
        try:
            sets = await self._meter.read_load_profile_sets()
        except RefusalError as err:
            raise NoLoadProfileError from err
        limit = await self._meter.read_energy_limit()
        reaches: dict[str, datetime] = {}
        for data_set in ranked(sets, subjects.values()):
            terms = ways_of(data_set, subjects.values())
            present = await self._async_read_parts(sums_of(terms, subjects))
            for key, way in sums_of(terms, subjects).items():
                if not is_confirmed(key, way, present, data_set):
                    del terms[key]
            spans = {
                key: await self._async_left(subjects[key], plan[key].spans, data_set)
                if key in reaches
                else plan[key].spans
                for key in terms
            }
            reach = reach_of(data_set, self._clock.now())
            for key in terms:
                reaches[key] = min(reach, reaches.get(key, reach))
                if spans[key] or _id(subjects[key]) not in result.entities:
                    result.begin(_id(subjects[key]))
            parts = parts_of(data_set, terms, spans, reaches, present)
            for number, part in enumerate(parts):

                def show(
                    share: float, number: int = number, parts: int = len(parts)
                ) -> None:
                    done = int(100 * (number + share) / parts)
                    self._show(max(done, self.progress or 0))

                await self._async_download(part, drift, limit, result, show)
        if not result.entities:
            raise NoLoadProfileError
        self._show(100)
        return result

    async def _async_read_parts(self, sums: Mapping[str, Terms]) -> dict[str, float]:
        """Read registers that are sums, and their parts, at once."""
        if not sums:
            return {}
        keys = {*sums, *chain.from_iterable(sums.values())}
        values = (await self._meter.read(keys)).values
        return {
            key: float(value)
            for key, value in values.items()
            if isinstance(value, int | float)
        }

    async def _async_left(
        self, subject: Subject, spans: Spans, data_set: LoadProfileSet
    ) -> Spans:
        """Return what is still missing in spans that another data set may have."""
        if not spans:
            return ()
        found = await self._async_read(subject, spans[0][0], spans)
        reach = reach_of(data_set, self._clock.now())
        left = found.spans if found is not None and found.is_known else ()
        return tuple(span for span in left if span[1] > reach)

    async def _async_download(
        self,
        download: Download,
        drift: timedelta,
        limit: float | None,
        result: HistoryImport,
        show: Callable[[float], None],
    ) -> None:
        """Read the intervals of a span, newest first, and write them as they come."""
        start, end = download.span
        shift = shift_of(drift, download.data_set.interval)
        profile = self._meter.load_profile(
            # The reading at the start belongs to it.
            None if start == EVER else start + shift - timedelta.resolution,
            end + shift,
            data_set=download.data_set,
            period=REQUEST_PERIOD,
        )
        _LOGGER.info(
            "%s: reading the load profile from %s to %s",
            self._title,
            "its beginning" if start == EVER else start.isoformat(),
            end.isoformat(),
        )
        channels = frozenset[str]().union(*download.terms.values())
        async for batch in async_batches(profile, self._clock):
            intervals = [
                replace(interval, end=interval.end - shift)
                for interval in batch.intervals
            ]
            result.add_read(intervals, channels)
            download.intervals += intervals
            if intervals:
                oldest = hour_of(intervals[-1].end - timedelta.resolution)
                await self._async_write(download, oldest + _HELD_BACK, limit, result)
            show(batch.done / batch.total)
        await self._async_write(download, start, limit, result)

    async def _async_write(
        self,
        download: Download,
        begin: datetime,
        limit: float | None,
        result: HistoryImport,
    ) -> None:
        """Write the hours from begin on that were not written yet, and remember them.

        An entity whose statistics are no longer those in which hours were missing is
        left alone; it is looked through again as a whole.
        """
        span = begin, download.written_to
        if begin >= download.written_to:
            return
        subjects = self.subjects
        for key in download.terms.keys() - result.lost:
            done = None
            if (subject := subjects.get(key)) is not None:
                done = await get_instance(self._hass).async_add_executor_job(
                    complete,
                    self._hass,
                    subject,
                    self._known(key),
                    Told(
                        intervals=download.intervals,
                        terms=download.terms[key],
                        present=download.present,
                        counting=_counting(subject, limit),
                        end=download.span[1],
                        reach=download.reach(key),
                    ),
                    span,
                )
            if subject is None or done is None or not done.recorded.is_known:
                result.lost.add(key)
                continue
            await done.async_write(self._hass, subject)
            result.of(_id(subject)).add(done.rows, done.filling.skipped)
            if done.rows:
                self._remember(key, done.recorded.number, min(done.rows))
            memory = self._memory.of(key)
            memory.imported = joined([*memory.imported, *spans_of(done.hours)])
            memory.checked = joined([*memory.checked, span])
        self._memory.async_save()
        download.written_to = begin
        download.intervals = [
            interval
            for interval in download.intervals
            if interval.end <= begin + _HELD_BACK
        ]

    def _show(self, progress: int) -> None:
        """Update the progress of the import, in percent."""
        if progress != self.progress:
            self.progress = progress
            self._on_progress()


def _counting(subject: Subject, energy_limit: float | None) -> Counting:
    """Return how the register of a subject counts."""
    description = None if subject.is_foreign else describe_register(subject.key)
    if description is None:
        return Counting()
    return Counting(
        limit=energy_limit if "energy" in subject.key else None,
        signed=description.state_class is SensorStateClass.TOTAL,
    )


def _checked_to(checked: Spans) -> datetime:
    """Return up to when everything was checked."""
    return checked[0][1] if checked and checked[0][0] == EVER else EVER


def _id(subject: Subject) -> str:
    """Return the id of a subject's entity."""
    return subject.statistic.entity_id
