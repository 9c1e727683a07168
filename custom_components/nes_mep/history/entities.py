"""Which entities can get their past, and what the load profile says about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from homeassistant.components.sensor import SensorStateClass

from ..descriptions import describe_register
from ..osgp import LoadProfileSet
from .recorder import Statistic
from .rows import Terms

_CUMULATIVE: Final = {SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING}

MEAN_POWERS: Final[Mapping[str, Terms]] = {
    "power_import": {"energy_import": 1000.0},
    "power_export": {"energy_export": 1000.0},
    "power_net": {"energy_import": 1000.0, "energy_export": -1000.0},
}
"""Powers in W whose mean over an hour is what was counted in it, in kWh."""


_SUMS: Final[Mapping[str, float]] = {"energy_net": -1.0, "energy_combined": 1.0}
"""Registers that count import and export together, and the factor of the export."""


@dataclass(frozen=True, slots=True)
class Logged:
    """A channel that has the readings of an entity if it has them in this unit."""

    channel: str
    unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An entity that can get its past from the load profile.

    Of the ways to compute it, the first whose channels a data set has is used. is_mean
    says that its statistics are means of what these channels count, not readings.
    is_foreign says that the readings are another meter's, of which the channels must
    have the unit of the statistic.
    """

    key: str
    statistic: Statistic
    ways: tuple[Terms, ...]
    is_mean: bool = False
    is_foreign: bool = False

    def way(self, data_set: LoadProfileSet) -> Terms | None:
        """Return how to compute it from a data set, None if that does not tell it."""
        channels = {
            channel.key
            for channel in data_set.channels
            if not self.is_foreign or channel.unit == self.statistic.unit
        }
        return next((way for way in self.ways if way.keys() <= channels), None)

    @property
    def channels(self) -> frozenset[str]:
        """The keys of all channels that tell something about it."""
        return frozenset[str]().union(*self.ways)


def subjects_of(
    entity_ids: Mapping[str, str], logged: Mapping[str, Logged]
) -> dict[str, Subject]:
    """Return the subjects among entities, by key.

    logged says where the load profile has what belongs to other meters.
    """
    found: dict[str, Subject] = {}
    for key, entity_id in entity_ids.items():
        if (place := logged.get(key)) is not None:
            found[key] = Subject(
                key=key,
                statistic=Statistic(entity_id, place.unit),
                ways=({place.channel: 1.0},),
                is_foreign=True,
            )
            continue
        if (description := describe_register(key)) is None:
            continue
        statistic = Statistic(entity_id, description.native_unit_of_measurement)
        if description.state_class in _CUMULATIVE:
            found[key] = Subject(key=key, statistic=statistic, ways=_ways(key))
        elif key in MEAN_POWERS:
            found[key] = Subject(
                key=key, statistic=statistic, ways=(MEAN_POWERS[key],), is_mean=True
            )
    return found


def _ways(key: str) -> tuple[Terms, ...]:
    """Return how a cumulative register can be computed: itself, or as a sum."""
    for name, factor in _SUMS.items():
        if key.startswith(name):
            tariff = key.removeprefix(name)
            parts = {f"energy_import{tariff}": 1.0, f"energy_export{tariff}": factor}
            return {key: 1.0}, parts
    return ({key: 1.0},)
