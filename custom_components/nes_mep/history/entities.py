"""Which entities can get their past, and what the load profile says about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from homeassistant.components.sensor import SensorStateClass

from ..descriptions import describe_register
from .recorder import Statistic
from .rows import Terms

_CUMULATIVE: Final = {SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING}

MEAN_POWERS: Final[Mapping[str, Terms]] = {
    "power_import": {"energy_import": 1000.0},
    "power_export": {"energy_export": 1000.0},
    "power_net": {"energy_import": 1000.0, "energy_export": -1000.0},
}
"""Powers in W whose mean over an hour is what was counted in it, in kWh."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An entity that can get its past from the load profile.

    Of the ways to compute it, the first whose channels a data set has is used. is_mean
    says that its statistics are means of what these channels count, not readings.
    """

    key: str
    statistic: Statistic
    ways: tuple[Terms, ...]
    is_mean: bool = False

    def way(self, channels: tuple[str, ...]) -> Terms | None:
        """Return how to compute it from channels, None if they do not tell it."""
        return next((way for way in self.ways if way.keys() <= set(channels)), None)

    @property
    def channels(self) -> frozenset[str]:
        """The keys of all channels that tell something about it."""
        return frozenset[str]().union(*self.ways)


def subjects_of(entity_ids: Mapping[str, str]) -> dict[str, Subject]:
    """Return the subjects among the registers' entities, by key."""
    found: dict[str, Subject] = {}
    for key, entity_id in entity_ids.items():
        if (description := describe_register(key)) is None:
            continue
        statistic = Statistic(entity_id, description.native_unit_of_measurement)
        if description.state_class in _CUMULATIVE:
            found[key] = Subject(key=key, statistic=statistic, ways=({key: 1.0},))
        elif key in MEAN_POWERS:
            found[key] = Subject(
                key=key, statistic=statistic, ways=(MEAN_POWERS[key],), is_mean=True
            )
    return found
