"""What the Energy dashboard is set to: the costs of a meter's energies."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from homeassistant.components.energy import DOMAIN as ENERGY_DOMAIN, async_get_manager
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er


class Direction(StrEnum):
    """What costs, and what is compensated."""

    IMPORT = "import"
    EXPORT = "export"


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of a direction in the settings, and of its cost entity."""

    energy: str
    cost: str
    price: str
    price_entity: str
    unique_id: str


_NAMES: Final = {
    Direction.IMPORT: _Names(
        "stat_energy_from",
        "stat_cost",
        "number_energy_price",
        "entity_energy_price",
        "grid_cost",
    ),
    Direction.EXPORT: _Names(
        "stat_energy_to",
        "stat_compensation",
        "number_energy_price_export",
        "entity_energy_price_export",
        "grid_compensation",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyCost:
    """An energy entity in the Energy dashboard, and what Energy makes of it.

    key is that of the energy entity. cost_id is the entity of Energy that counts its
    cost, None if there is none. Energy is set to the price, or to the price_entity.
    """

    key: str
    energy_id: str
    direction: Direction
    cost_id: str | None
    price: float | None
    price_entity: str | None


async def async_energy_costs(
    hass: HomeAssistant, entity_ids: Mapping[str, str]
) -> list[EnergyCost]:
    """Return those of these entities, given by key, that Energy uses for the grid."""
    if ENERGY_DOMAIN not in hass.config.components:
        return []
    settings = (await async_get_manager(hass)).data
    keys = {entity_id: key for key, entity_id in entity_ids.items()}
    return [
        EnergyCost(
            key=keys[energy_id],
            energy_id=energy_id,
            direction=direction,
            cost_id=_cost_id(hass, source, names),
            price=source.get(names.price),
            price_entity=source.get(names.price_entity),
        )
        for source in _grid_sources(settings)
        for direction, names in _NAMES.items()
        if (energy_id := source.get(names.energy)) in keys
    ]


def _grid_sources(settings: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """Return the grid connections."""
    sources = settings["energy_sources"] if settings else []
    return [source for source in sources if source["type"] == "grid"]


def _cost_id(
    hass: HomeAssistant, source: Mapping[str, Any], names: _Names
) -> str | None:
    """Return the entity that counts a cost.

    Energy has none without a price, or where costs come from statistics of their own;
    what is registered then is left from other settings.
    """
    prices = (source.get(names.price), source.get(names.price_entity))
    if source.get(names.cost) is not None or prices == (None, None):
        return None
    registry = er.async_get(hass)
    energy_id = source[names.energy]
    energy = registry.async_get(energy_id)
    cost_id = registry.async_get_entity_id(
        Platform.SENSOR,
        ENERGY_DOMAIN,
        f"{energy.id if energy else energy_id}_{names.unique_id}",
    )
    entity = registry.async_get(cost_id) if cost_id else None
    return None if entity is None or entity.disabled else cost_id
