"""What an import has done, or why there is none."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from homeassistant.util.json import JsonObjectType

from ..osgp import LoadProfileInterval
from .rows import Skip
from .spans import spans_of


class HistoryError(Exception):
    """Nothing can be imported: statistics or readings for them are missing."""

    translation_key: str


class NoRecorderError(HistoryError):
    """Home Assistant keeps no statistics: the recorder is not set up."""

    translation_key = "no_recorder"


class ExcludedError(HistoryError):
    """The user has excluded all of the entities in the recorder."""

    translation_key = "excluded_from_recorder"


class NothingRecordedError(HistoryError):
    """Home Assistant has no statistics of any of the entities yet."""

    translation_key = "nothing_recorded"


class NoLoadProfileError(HistoryError):
    """The meter records no load profile with a reading of any of the entities."""

    translation_key = "no_load_profile"


@dataclass(slots=True)
class EntityImport:
    """What an import has done for one entity: hours written, and skipped."""

    hours: list[datetime] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, hours: Iterable[datetime], skipped: Mapping[Skip, int]) -> None:
        """Add what was written, and what was not."""
        self.hours += hours
        self.skipped.update({skip.value: number for skip, number in skipped.items()})

    @property
    def as_json(self) -> JsonObjectType:
        """Plain values; times are in UTC, and hours named by their starts."""
        return {
            "hours_written": len(self.hours),
            "first_hour": min(self.hours).isoformat() if self.hours else None,
            "last_hour": max(self.hours).isoformat() if self.hours else None,
            "imported": [
                {"start": begin.isoformat(), "end": end.isoformat()}
                for begin, end in spans_of(self.hours)
            ],
            "skipped_hours": dict(self.skipped),
        }


@dataclass(slots=True)
class HistoryImport:
    """What an import has done: by entity id, and what it read of the load profile.

    excluded are entities that the user has excluded in the recorder, and lost the keys
    of those whose statistics were deleted, or became others, during the import.
    unusable_intervals counts intervals with readings that were not used, by what the
    meter says about them.
    """

    entities: dict[str, EntityImport] = field(default_factory=dict)
    excluded: tuple[str, ...] = ()
    lost: set[str] = field(default_factory=set)
    intervals: int = 0
    unusable_intervals: Counter[str] = field(default_factory=Counter)

    def of(self, entity_id: str) -> EntityImport:
        """Return what was done for an entity, to be added to."""
        return self.entities.setdefault(entity_id, EntityImport())

    def begin(self, entity_id: str) -> None:
        """Forget what was skipped: what the entity lacks is looked for again."""
        self.of(entity_id).skipped.clear()

    def add_read(
        self, intervals: Iterable[LoadProfileInterval], keys: Iterable[str]
    ) -> None:
        """Count intervals that were read for some entities."""
        for interval in intervals:
            self.intervals += 1
            self.unusable_intervals.update(
                {
                    interval.statuses[key].name.lower()
                    for key in keys
                    if key not in interval.values and key in interval.statuses
                }
            )

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
            "excluded_entities": list(self.excluded),
            "intervals_read": self.intervals,
            "unusable_intervals": dict(self.unusable_intervals),
        }
