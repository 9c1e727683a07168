"""Which registers of a meter get an entity, and which of these are enabled at first.

A meter of generation 4 has over 400 registers, and most of them are zero in most homes:
tariffs that are not used, and energy that nobody exports.
"""

from collections.abc import Collection, Iterable, Mapping, Set as AbstractSet
import re
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .const import CONF_SHOW_ALL_REGISTERS, DEFAULT_SHOW_ALL_REGISTERS
from .descriptions import MeterSensorDescription, describe_register
from .link.storage import MeterStorage
from .osgp import Value
from .registry import registered_entities

_TARIFF = re.compile(r"(?P<name>\w+)_tariff_(?P<tariff>[1-8])")
_IMPORT: Final = "energy_import"
EXPORT: Final = "energy_export"

_RARE = re.compile(r"(?:coincident|cumulative_demand|continuous_cumulative_demand)_\w+")
_DEMAND = re.compile(r"[a-z]+_demand_(?P<quantity>\w+?)(?:_time)?")
_ENERGIES: Final = (
    (re.compile(r"reactive_power(_(?:import|export|q[1-4]))"), "reactive_energy"),
    (re.compile(r"apparent_power(_q[1-4])"), "apparent_energy"),
    (re.compile(r"power(_(?:import|export))"), "energy"),
)
"""Which energy is counted while a power flows."""

_OF_EXPORT = re.compile(r"energy_export|energy_net|power_export(?:_l[1-3])?|power_net")
"""What is zero, or the same as the import, unless energy is exported."""


def counters(registers: Iterable[str]) -> set[str]:
    """Return the keys of the summations that decide which registers get an entity."""
    return {
        key
        for key in registers
        if key == EXPORT or ("energy" in key and _TARIFF.fullmatch(key))
    }


def selected(registers: Collection[str], counted: AbstractSet[str]) -> set[str]:
    """Return the keys of the registers that get an entity.

    registers are those that the meter has, counted the keys of the counters that were
    not zero once. Tariffs are shown if there are two that have counted, because a single
    one equals the total; within a tariff, what has counted. Coincident and cumulative
    demands are left out.
    """
    tariffs = {match["tariff"] for key in counted if (match := _TARIFF.fullmatch(key))}
    return {
        key
        for key in registers
        if not _RARE.fullmatch(key)
        and (
            (match := _TARIFF.fullmatch(key)) is None
            or (
                len(tariffs) > 1
                and match["tariff"] in tariffs
                and _has_counted(match["name"], match["tariff"], registers, counted)
            )
        )
    }


def _has_counted(
    name: str, tariff: str, registers: Collection[str], counted: AbstractSet[str]
) -> bool:
    """Return whether a register of a tariff that is in use was not zero.

    Of demands that belong to no energy, that is assumed.
    """
    if demand := _DEMAND.fullmatch(name):
        name = _energy_of(demand["quantity"])
    key = f"{name}_tariff_{tariff}"
    return name == _IMPORT or key in counted or key not in registers


def _energy_of(quantity: str) -> str:
    """Return the energy that a power is counted as, the quantity itself without one."""
    for pattern, energy in _ENERGIES:
        if match := pattern.fullmatch(quantity):
            return f"{energy}{match[1]}"
    return quantity


def depends_on_export(key: str) -> bool:
    """Return whether a register says something only while energy is exported."""
    return _OF_EXPORT.fullmatch(key) is not None


def shows_any(key: str, registers: AbstractSet[str]) -> bool:
    """Return whether a key is of no stored register, or of one of these registers."""
    return not key.startswith("billing_") or key.removeprefix("billing_") in registers


class Selection:
    """Selects the registers of one meter that get an entity.

    What has counted once is stored: a tariff that is not used any more stays.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, storage: MeterStorage
    ) -> None:
        """Initialize; storage is loaded."""
        self.is_known = False
        """Whether the counters were read since the entry was loaded."""
        self._hass = hass
        self._entry = entry
        self._storage = storage
        self._shows_all = entry.options.get(
            CONF_SHOW_ALL_REGISTERS, DEFAULT_SHOW_ALL_REGISTERS
        )
        self._selected: tuple[Collection[str], AbstractSet[str], bool] | None = None
        self._keys: frozenset[str] = frozenset()
        self._counted = frozenset(storage.facts.get("counted", ()))

    @callback
    def async_count(self, values: Mapping[str, Value | None]) -> None:
        """Record what has counted, according to values by key."""
        if new := {key for key in counters(values) if values[key]} - self._counted:
            was_known = "counted" in self._storage.facts
            self._counted |= new
            self._store()
            if EXPORT in new and was_known:
                self._async_enable_export()

    @callback
    def async_read_counters(self, values: Mapping[str, Value | None]) -> None:
        """Record what has counted, when all counters were read."""
        self.async_count(values)
        self.is_known = True
        self._store()

    @callback
    def _store(self) -> None:
        self._storage.async_change({"counted": sorted(self._counted)})

    @callback
    def async_keys(self, registers: Collection[str]) -> frozenset[str]:
        """Return the keys of the registers that get an entity.

        Beside the selected ones, these are those whose entities are enabled, or were
        disabled by the user. Without changes it is the same object.
        """
        basis = registers, self._counted, self.is_known
        if basis != self._selected:
            self._selected = basis
            self._keys = frozenset(
                registers
                if self._shows_all
                else selected(registers, self._counted) | (self._kept & set(registers))
            )
        return self._keys

    @property
    def _kept(self) -> set[str]:
        """The keys of the entities that are enabled, or were disabled by the user."""
        return {
            key
            for key, entity in registered_entities(self._hass, self._entry).items()
            if entity.disabled_by is not er.RegistryEntryDisabler.INTEGRATION
        }

    def is_enabled_at_first(self, description: MeterSensorDescription) -> bool:
        """Return whether the sensor of a register is enabled when it is added."""
        return description.entity_registry_enabled_default and (
            EXPORT in self._counted or not depends_on_export(description.key)
        )

    @callback
    def _async_enable_export(self) -> None:
        """Enable what says something since energy is exported."""
        registry = er.async_get(self._hass)
        for key, entity in registered_entities(self._hass, self._entry).items():
            description = describe_register(key)
            if (
                entity.disabled_by is er.RegistryEntryDisabler.INTEGRATION
                and description is not None
                and description.entity_registry_enabled_default
                and depends_on_export(key)
            ):
                registry.async_update_entity(entity.entity_id, disabled_by=None)
