"""One import of the load profile into the statistics."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
import logging
from typing import Final

from homeassistant.components.recorder import get_instance
from homeassistant.components.sensor import SensorStateClass
from homeassistant.core import HomeAssistant

from ..descriptions import describe_register
from ..osgp import (
    REQUEST_PERIOD,
    HostClock,
    LoadProfileBatch,
    LoadProfileDownload,
    LoadProfileInterval,
    LoadProfileSet,
    Meter,
    MeterError,
    RefusalError,
    best_data_set,
)
from .gaps import Gap, find_gaps, flat_spans
from .memory import HistoryMemory, Identity
from .recorder import (
    Known,
    Recorded,
    Statistic,
    async_write,
    is_excluded,
    read,
    sum_retention,
)
from .result import EntityImport, HistoryImport, NoLoadProfileError
from .rows import Filling, fill, readings_of
from .spans import EVER, HOUR, Span, Spans, common, hour_of, joined, spans_of, without
from .way import Counting

_LOGGER = logging.getLogger(__name__)

_SEPARATE: Final = timedelta(days=1)
"""Gaps that are further apart are downloaded separately."""

_HELD_BACK: Final = 6 * HOUR
"""The oldest hours that were read are written together with those before them, which
tell whether their readings lie on the way."""

_RETRY_PAUSE: Final = 15.0
_RETRIES: Final = 8
"""A download that failed continues where it stopped, after so many seconds, and gives
up after so many failures without progress. Meanwhile the polls recover the link."""

_STATE_CLASSES: Final = {SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING}


@dataclass(slots=True)
class _Download:
    """A part of an import: the entities that a data set tells about, and a span.

    What is written yet begins at written_to; intervals were read before it.
    """

    data_set: LoadProfileSet
    keys: frozenset[str]
    span: Span
    written_to: datetime
    intervals: list[LoadProfileInterval] = field(default_factory=list)


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
        on_progress: Callable[[], None],
    ) -> None:
        """Initialize; entity_ids returns the enabled entities by key.

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
        self._on_progress = on_progress

    @property
    def statistics(self) -> dict[str, Statistic]:
        """The statistics of cumulative registers that are recorded, by key."""
        return {
            key: statistic
            for key, statistic in self._candidates.items()
            if not is_excluded(self._hass, statistic.entity_id)
        }

    @property
    def excluded(self) -> tuple[str, ...]:
        """The ids of the entities that are excluded in the recorder."""
        return tuple(
            statistic.entity_id
            for statistic in self._candidates.values()
            if is_excluded(self._hass, statistic.entity_id)
        )

    @property
    def _candidates(self) -> dict[str, Statistic]:
        found: dict[str, Statistic] = {}
        for key, entity_id in self._entity_ids().items():
            description = describe_register(key)
            if description is not None and description.state_class in _STATE_CLASSES:
                unit = description.native_unit_of_measurement
                found[key] = Statistic(entity_id, unit)
        return found

    async def async_read_drift(self) -> timedelta:
        """Return how far the meter's clock is ahead. Raises MeterError."""
        return (await self._meter.read_clock()).time - self._clock.now()

    async def async_plan(
        self, end: datetime, wanted: Span | None = None
    ) -> dict[str, tuple[Gap, ...]]:
        """Return the gaps of each entity that has statistics, by key.

        wanted limits them; without it they are those that were not checked yet.
        """
        plan: dict[str, tuple[Gap, ...]] = {}
        for key, statistic in self.statistics.items():
            since = wanted[0] if wanted else _checked_to(self._memory.of(key).checked)
            if (recorded := await self._async_read(key, statistic, since)) is None:
                continue
            checked = () if wanted else self._memory.of(key).checked
            limits = without(joined([wanted or (EVER, end)]), checked)
            plan[key] = tuple(
                replace(gap, start=None if begin == EVER else begin, end=stop)
                for gap in find_gaps(recorded.series, end)
                for begin, stop in common(limits, joined([gap.span]))
            )
        return plan

    async def async_survey(self) -> int:
        """Look for times in which Home Assistant was off, in the rows of all entities.

        Return the number of hours; they are interruptions from now on.
        """
        rows = []
        for key, statistic in self.statistics.items():
            if recorded := await self._async_read(key, statistic, EVER):
                rows.append(recorded.series.hours)
        spans = await self._hass.async_add_executor_job(flat_spans, rows)
        for span in spans:
            self._memory.async_interrupted(span)
        return sum((end - begin) // HOUR for begin, end in spans)

    async def _async_read(
        self, key: str, statistic: Statistic, since: datetime
    ) -> Recorded | None:
        """Return what was recorded for an entity; forget what held of another one."""
        recorded = await get_instance(self._hass).async_add_executor_job(
            read, self._hass, statistic, self._known(key), since
        )
        if recorded is not None:
            self._recognize(key, recorded)
        return recorded

    def _known(self, key: str) -> Known:
        """Return what is known of the rows of an entity."""
        memory = self._memory.of(key)
        return Known(memory.identity, memory.imported, self._memory.interruptions)

    def _recognize(self, key: str, recorded: Recorded) -> None:
        """Remember which statistic was read."""
        memory = self._memory.of(key)
        if not recorded.is_known:
            _LOGGER.info(
                "%s: the statistics of %s are others than before; they are checked anew",
                self._title,
                key,
            )
            memory.identity, memory.checked, memory.imported = None, (), ()
        if recorded.series.hours:
            self._remember(key, recorded.number, min(recorded.series.hours))

    def _remember(self, key: str, number: int, row: datetime) -> None:
        """Remember which statistic an entity has, and its oldest row that is known."""
        memory = self._memory.of(key)
        before = memory.identity
        memory.identity = Identity(number, min(row, before.witness) if before else row)

    async def async_import(
        self, plan: Mapping[str, tuple[Gap, ...]], drift: timedelta
    ) -> HistoryImport:
        """Download the intervals that fill the gaps, and write the rows as they come.

        drift is how far the meter's clock is ahead.
        """
        result = HistoryImport(excluded=self.excluded)
        self._show(0)
        sets = await self._async_sets(plan.keys())
        limit = await self._meter.read_energy_limit()
        downloads = [
            _Download(data_set, keys, span, span[1])
            for data_set, keys in sets
            for span in _spans(gap for key in keys for gap in plan[key])
        ]
        statistics = self.statistics
        for key in frozenset[str]().union(*(keys for _, keys in sets)):
            result.entities[statistics[key].entity_id] = EntityImport()
        for number, download in enumerate(downloads):

            def show(share: float, number: int = number) -> None:
                self._show(int(100 * (number + share) / len(downloads)))

            await self._async_download(download, drift, limit, result, show)
        self._show(100)
        return result

    async def _async_sets(
        self, keys: Iterable[str]
    ) -> list[tuple[LoadProfileSet, frozenset[str]]]:
        """Return which data set to read for which entities."""
        try:
            sets = await self._meter.read_load_profile_sets()
        except RefusalError as err:
            raise NoLoadProfileError from err
        chosen: list[tuple[LoadProfileSet, frozenset[str]]] = []
        left = set(keys)
        while left and (best := best_data_set(sets, left)) is not None:
            if not (told := frozenset(left.intersection(best.keys))):
                break
            chosen.append((best, told))
            left -= told
        if not chosen:
            raise NoLoadProfileError
        return chosen

    async def _async_download(
        self,
        download: _Download,
        drift: timedelta,
        limit: float | None,
        result: HistoryImport,
        show: Callable[[float], None],
    ) -> None:
        """Read the intervals of a span, newest first, and write them as they come."""
        start, end = download.span
        shift = _shift(drift, download.data_set.interval)
        profile = self._meter.load_profile(
            None if start == EVER else start + shift,
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
        async for batch in self._async_batches(profile):
            intervals = [
                replace(interval, end=interval.end - shift)
                for interval in batch.intervals
            ]
            result.add_read(intervals, download.keys)
            download.intervals += intervals
            if intervals:
                oldest = hour_of(intervals[-1].end - timedelta.resolution)
                await self._async_write(download, oldest + _HELD_BACK, limit, result)
            show(batch.done / batch.total)
        await self._async_write(download, start, limit, result)

    async def _async_batches(
        self, download: LoadProfileDownload
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
                await self._clock.sleep(_RETRY_PAUSE)
            else:
                return

    async def _async_write(
        self,
        download: _Download,
        begin: datetime,
        limit: float | None,
        result: HistoryImport,
    ) -> None:
        """Write the hours from begin on that were not written yet, and remember them.

        An entity whose statistics are no longer those that its gaps were found in is
        left alone; it is looked through again as a whole.
        """
        span = begin, download.written_to
        if begin >= download.written_to:
            return
        statistics = self.statistics
        for key in download.keys - result.lost:
            filled = None
            if (statistic := statistics.get(key)) is not None:
                filled = await get_instance(self._hass).async_add_executor_job(
                    _read_and_fill,
                    self._hass,
                    statistic,
                    self._known(key),
                    key,
                    download,
                    _counting(key, limit),
                    span,
                    self._reach(download),
                )
            if statistic is None or filled is None or not filled[0].is_known:
                result.lost.add(key)
                continue
            recorded, filling = filled
            await async_write(self._hass, statistic, recorded, filling)
            done = result.entities.setdefault(statistic.entity_id, EntityImport())
            done.add(filling)
            if filling.rows:
                self._remember(
                    key, recorded.number, min(row.hour for row in filling.rows)
                )
            memory = self._memory.of(key)
            memory.imported = joined([*memory.imported, *spans_of(filling.hours)])
            memory.checked = joined([*memory.checked, span])
        self._memory.async_save()
        download.written_to = begin
        download.intervals = [
            interval
            for interval in download.intervals
            if interval.end <= begin + _HELD_BACK
        ]

    def _reach(self, download: _Download) -> datetime:
        """Return since when the load profile may have readings."""
        data_set = download.data_set
        blocks = max(0, data_set.valid_blocks - 1) * data_set.intervals_per_block
        reach = self._clock.now() - blocks * data_set.interval
        return min([reach, *(interval.end for interval in download.intervals)])

    def _show(self, progress: int) -> None:
        """Update the progress of the import, in percent."""
        if progress != self.progress:
            self.progress = progress
            self._on_progress()


def _read_and_fill(
    hass: HomeAssistant,
    statistic: Statistic,
    known: Known,
    key: str,
    download: _Download,
    counting: Counting,
    span: Span,
    reach: datetime,
) -> tuple[Recorded, Filling] | None:
    """Return what was recorded for an entity, and what fills its gaps in a span."""
    if (recorded := read(hass, statistic, known, span[0])) is None:
        return None
    filling = fill(
        recorded.series,
        find_gaps(recorded.series, download.span[1]),
        readings_of(download.intervals, key),
        counting,
        memory=sum_retention(hass),
        within=span,
        reach=reach,
    )
    return recorded, filling


def _counting(key: str, energy_limit: float | None) -> Counting:
    """Return how a register counts."""
    description = describe_register(key)
    assert description is not None
    is_energy = "energy" in key
    return Counting(
        limit=energy_limit if is_energy else None,
        signed=description.state_class is SensorStateClass.TOTAL,
    )


def _checked_to(checked: Spans) -> datetime:
    """Return up to when everything was checked."""
    return checked[0][1] if checked and checked[0][0] == EVER else EVER


def _shift(drift: timedelta, interval: timedelta) -> timedelta:
    """Return by how much the times of intervals are wrong: full intervals."""
    return round(drift / interval) * interval


def _spans(gaps: Iterable[Gap]) -> Spans:
    """Return the spans of the load profile that fill gaps, newest first.

    Nearby ones are joined.
    """
    return joined((gap.span for gap in gaps), _SEPARATE)[::-1]
