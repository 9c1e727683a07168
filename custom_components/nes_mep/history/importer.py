"""One import of the load profile into the statistics."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import logging
from typing import Final

from homeassistant.components.sensor import SensorStateClass
from homeassistant.core import HomeAssistant
from homeassistant.util.json import JsonObjectType

from ..descriptions import describe_register
from ..osgp import (
    REQUEST_PERIOD,
    HostClock,
    LoadProfileDownload,
    LoadProfileInterval,
    LoadProfileSet,
    Meter,
    MeterError,
    RefusalError,
    best_data_set,
)
from .gaps import Gap, find_gaps
from .recorder import Recorded, Statistic, async_read, async_write, sum_retention
from .rows import Counting, Filling, fill, hour_readings

_LOGGER = logging.getLogger(__name__)

_SEPARATE: Final = timedelta(days=1)
"""Gaps that are further apart are downloaded separately."""

_RETRY_PAUSE: Final = 15.0
_RETRIES: Final = 8
"""A download that failed continues where it stopped, after so many seconds, and gives
up after so many failures without progress. Meanwhile the polls recover the link."""

_STATE_CLASSES: Final = {SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING}

type Plan = Mapping[str, tuple[Gap, ...]]
"""The gaps of entities, by key."""


class HistoryError(Exception):
    """Nothing can be imported: statistics or readings for them are missing."""

    translation_key: str


class NoRecorderError(HistoryError):
    """Home Assistant keeps no statistics: the recorder is not set up."""

    translation_key = "no_recorder"


class NothingRecordedError(HistoryError):
    """Home Assistant has no statistics of any of the entities yet."""

    translation_key = "nothing_recorded"


class NoLoadProfileError(HistoryError):
    """The meter records no load profile with a reading of any of the entities."""

    translation_key = "no_load_profile"


@dataclass(slots=True)
class EntityImport:
    """What an import has done for one entity."""

    hours: list[datetime] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def as_json(self) -> JsonObjectType:
        """Plain values; first and last are the starts of hours, in UTC."""
        return {
            "hours_written": len(self.hours),
            "first_hour": min(self.hours).isoformat() if self.hours else None,
            "last_hour": max(self.hours).isoformat() if self.hours else None,
            "skipped_hours": dict(self.skipped),
        }


@dataclass(slots=True)
class HistoryImport:
    """What an import has done: by entity id, and what it read of the load profile.

    unusable_intervals counts recorded readings that were not used, by what the meter
    says about them.
    """

    entities: dict[str, EntityImport] = field(default_factory=dict)
    intervals: int = 0
    unusable_intervals: Counter[str] = field(default_factory=Counter)

    @property
    def hours_written(self) -> int:
        """The rows that were written, of all entities."""
        return sum(len(each.hours) for each in self.entities.values())

    @property
    def as_json(self) -> JsonObjectType:
        """Plain values."""
        return {
            "hours_written": self.hours_written,
            "entities": {
                entity_id: each.as_json for entity_id, each in self.entities.items()
            },
            "intervals_read": self.intervals,
            "unusable_intervals": dict(self.unusable_intervals),
        }


class HistoryImporter:
    """Fills the statistics of one meter's entities from its load profile.

    What Home Assistant has recorded stays as it is.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        meter: Meter,
        title: str,
        *,
        clock: HostClock,
        entity_ids: Callable[[], Mapping[str, str]],
        on_progress: Callable[[], None],
    ) -> None:
        """Initialize; entity_ids returns the enabled entities by key.

        on_progress is called when progress has changed. That is the percentage of the
        newest import that is done, None before the first one and after one that failed.
        """
        self.progress: int | None = None
        self._hass = hass
        self._meter = meter
        self._title = title
        self._clock = clock
        self._entity_ids = entity_ids
        self._on_progress = on_progress

    @property
    def statistics(self) -> dict[str, Statistic]:
        """The statistics of cumulative registers, by key."""
        found: dict[str, Statistic] = {}
        for key, entity_id in self._entity_ids().items():
            description = describe_register(key)
            if description is not None and description.state_class in _STATE_CLASSES:
                unit = description.native_unit_of_measurement
                found[key] = Statistic(entity_id, unit)
        return found

    async def async_plan(
        self,
        statistics: Mapping[str, Statistic],
        since: Mapping[str, datetime],
        end: datetime,
    ) -> dict[str, tuple[Gap, ...]]:
        """Return the gaps of each entity that has statistics, by key."""
        recorded = await self._async_read(statistics, since)
        return {
            key: find_gaps(found.series, since.get(key), end)
            for key, found in recorded.items()
        }

    async def _async_read(
        self, statistics: Mapping[str, Statistic], since: Mapping[str, datetime]
    ) -> dict[str, Recorded]:
        """Return what was recorded, by key: since a time, or all of it."""
        recorded: dict[str, Recorded] = {}
        for moment in {since.get(key) for key in statistics}:
            some = {
                key: statistic
                for key, statistic in statistics.items()
                if since.get(key) == moment
            }
            found = await async_read(self._hass, some.values(), moment)
            recorded |= {
                key: found[statistic.entity_id]
                for key, statistic in some.items()
                if statistic.entity_id in found
            }
        return recorded

    async def async_import(
        self,
        statistics: Mapping[str, Statistic],
        plan: Plan,
        since: Mapping[str, datetime],
        end: datetime,
    ) -> HistoryImport:
        """Download the intervals that fill the gaps, and write the rows."""
        result = HistoryImport()
        self._show(0)
        try:
            sets = await self._async_sets(plan.keys())
            limit = await self._meter.read_energy_limit()
            intervals = await self._async_download(sets, plan, result)
            # Home Assistant has recorded more in the meantime.
            recorded = await self._async_read(
                {key: statistics[key] for key in intervals}, since
            )
            for key, found in recorded.items():
                filling = fill(
                    found.series,
                    find_gaps(found.series, since.get(key), end),
                    hour_readings(intervals[key], key),
                    _counting(key, limit),
                    memory=sum_retention(self._hass),
                )
                await async_write(self._hass, statistics[key], found, filling)
                result.entities[statistics[key].entity_id] = _entity_import(filling)
        except BaseException:
            self._show(None)
            raise
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
        sets: Iterable[tuple[LoadProfileSet, frozenset[str]]],
        plan: Plan,
        result: HistoryImport,
    ) -> dict[str, list[LoadProfileInterval]]:
        """Return the recorded intervals that fill gaps, by key; empty without gaps."""
        downloads = [
            (keys, data_set.number, span)
            for data_set, keys in sets
            for span in _spans(gap for key in keys for gap in plan[key])
        ]
        found: dict[str, list[LoadProfileInterval]] = {
            key: [] for _, keys in sets for key in keys
        }
        for number, (keys, data_set_number, (start, end)) in enumerate(downloads):
            download = self._meter.load_profile(
                start, end, data_set=data_set_number, period=REQUEST_PERIOD
            )
            _LOGGER.info(
                "%s: reading the load profile from %s to %s",
                self._title,
                "its beginning" if start is None else start.isoformat(),
                end.isoformat(),
            )

            def show(share: float, number: int = number) -> None:
                self._show(int(100 * (number + share) / len(downloads)))

            intervals = await self._async_all(download, show)
            result.intervals += len(intervals)
            for key in keys:
                found[key] += intervals
                result.unusable_intervals += Counter(
                    interval.statuses[key].name.lower()
                    for interval in intervals
                    if key not in interval.values and key in interval.statuses
                )
        return found

    async def _async_all(
        self, download: LoadProfileDownload, show: Callable[[float], None]
    ) -> list[LoadProfileInterval]:
        """Return all intervals of a download; continue it after failures of the link.

        Raises MeterError when the meter refuses a part, or the link stays down.
        """
        intervals: list[LoadProfileInterval] = []
        failures = 0
        while True:
            try:
                async for batch in download:
                    failures = 0
                    intervals += batch.intervals
                    show(batch.done / batch.total)
            except RefusalError:
                raise
            except MeterError as err:
                failures += 1
                if failures > _RETRIES:
                    raise
                _LOGGER.debug("The download of the load profile is paused: %s", err)
                await self._clock.sleep(_RETRY_PAUSE)
            else:
                return intervals

    def _show(self, progress: int | None) -> None:
        """Update the progress of the import, in percent; None if it has failed."""
        if progress != self.progress:
            self.progress = progress
            self._on_progress()


def _counting(key: str, energy_limit: float | None) -> Counting:
    """Return how a register counts."""
    description = describe_register(key)
    assert description is not None
    is_energy = "energy" in key
    return Counting(
        limit=energy_limit if is_energy else None,
        signed=description.state_class is SensorStateClass.TOTAL,
    )


def _spans(gaps: Iterable[Gap]) -> list[tuple[datetime | None, datetime]]:
    """Return the spans of the load profile that fill gaps; nearby ones are joined."""
    begin = datetime.min.replace(tzinfo=UTC)
    spans: list[tuple[datetime, datetime]] = []
    for start, end in sorted((gap.start or begin, gap.end) for gap in gaps):
        if spans and start <= spans[-1][1] + _SEPARATE:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return [(None if start == begin else start, end) for start, end in spans]


def _entity_import(filling: Filling) -> EntityImport:
    """Return what was done for an entity."""
    return EntityImport(
        hours=[row.hour for row in filling.rows],
        skipped=Counter({skip.value: n for skip, n in filling.skipped.items()}),
    )
