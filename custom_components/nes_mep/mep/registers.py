"""The registers that a meter can report: names, sources, units and scale."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
import itertools
from types import MappingProxyType

from .tables.dimensions import PresentSelection, RegisterDimensions, RegisterSelection
from .tables.layout import (
    CURRENT_REGISTERS,
    PRESENT_REGISTERS,
    CurrentLayout,
    PresentLayout,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDescription:
    """A register of BT23 or BT28.

    sources are the ids (guide, "source ids") under which meters list it, the first
    that a meter has counts. unit is the shown unit, and a shown value is the
    register divided by divisor. counts_energy marks registers of BT23 in energy
    register units (1, 10 or 100 Wh, varh or VAh), tiered those that tiers have too.
    """

    key: str
    sources: tuple[int, ...]
    unit: str | None
    divisor: int = 1
    counts_energy: bool = False
    tiered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A register that a certain meter reports, and where.

    A register with operands is not in a table: it is the first of these registers
    minus the second.
    """

    key: str
    unit: str | None
    table: int
    offset: int = 0
    source: int | None = None
    multiplier: int = 1
    divisor: int = 1
    operands: tuple[str, ...] = ()

    def shown(self, raw: int) -> float:
        """Return a register's number in the shown unit."""
        value = raw * self.multiplier
        return value if self.divisor == 1 else value / self.divisor


def _energy(key: str, source: int, unit: str) -> RegisterDescription:
    return RegisterDescription(
        key=key,
        sources=(source,),
        unit=unit,
        divisor=1000,
        counts_energy=True,
        tiered=True,
    )


_CURRENT = (
    _energy("energy_import", 0, "kWh"),
    _energy("energy_export", 1, "kWh"),
    _energy("reactive_energy_import", 2, "kvarh"),
    _energy("reactive_energy_export", 3, "kvarh"),
    RegisterDescription(key="power_outage_duration", sources=(4,), unit="s"),
    RegisterDescription(key="power_outages", sources=(5,), unit=None),
    _energy("energy_combined", 6, "kWh"),
    _energy("energy_net", 7, "kWh"),
    RegisterDescription(key="pulse_input_1", sources=(26,), unit=None),
    RegisterDescription(key="pulse_input_2", sources=(27,), unit=None),
    RegisterDescription(key="meter_errors", sources=(28,), unit=None),
    *(_energy(f"reactive_energy_q{n}", 107 + n, "kvarh") for n in range(1, 5)),
)

_APPARENT_ENERGY = tuple(
    _energy(f"apparent_energy_q{n}", 14 + n, "kVAh") for n in range(1, 5)
)
"""4.x meters only: no source id exists, so these sources are positions in BT23."""


def _phases(
    key: str, first: int, unit: str | None, divisor: int = 1, *, after_ct: int = 0
) -> Iterator[RegisterDescription]:
    """Describe the registers of three phases, whose sources follow each other.

    after_ct is the first source of the same values multiplied by the transformer
    ratios where these are enabled: right on every meter, so preferred.
    """
    for phase in range(3):
        sources = (after_ct + phase, first + phase) if after_ct else (first + phase,)
        yield RegisterDescription(
            key=f"{key}_l{phase + 1}", sources=sources, unit=unit, divisor=divisor
        )


def _quadrants(key: str, first: int, unit: str) -> Iterator[RegisterDescription]:
    for quadrant in range(4):
        yield RegisterDescription(
            key=f"{key}_q{quadrant + 1}", sources=(first + quadrant,), unit=unit
        )


_PRESENT = (
    RegisterDescription(key="power_import", sources=(81, 8), unit="W"),
    RegisterDescription(key="power_export", sources=(82, 9), unit="W"),
    RegisterDescription(key="reactive_power_import", sources=(83, 10), unit="var"),
    RegisterDescription(key="reactive_power_export", sources=(84, 11), unit="var"),
    *_phases("current", 12, "A", 1000, after_ct=197),
    *_phases("voltage", 15, "V", 1000),
    RegisterDescription(key="power_factor_l1", sources=(18,), unit=None, divisor=1000),
    RegisterDescription(key="power_factor_l2", sources=(21,), unit=None, divisor=1000),
    RegisterDescription(key="power_factor_l3", sources=(22,), unit=None, divisor=1000),
    RegisterDescription(key="frequency", sources=(19,), unit="Hz", divisor=1000),
    RegisterDescription(key="apparent_power", sources=(20,), unit="VA"),
    *_phases("phase_angle_sine", 23, None, 1000),
    *_quadrants("reactive_power", 104, "var"),
    *_phases("power_import", 185, "W", after_ct=191),
    *_phases("power_export", 188, "W", after_ct=194),
    *_phases("continuous_voltage", 202, "V", 1000),
    *_phases("average_voltage", 205, "V", 1000),
    RegisterDescription(key="average_power_import", sources=(208,), unit="W"),
    RegisterDescription(key="average_power_export", sources=(209,), unit="W"),
    *_phases("average_power_import", 210, "W"),
    *_phases("average_power_export", 213, "W"),
    *_quadrants("apparent_power", 216, "VA"),
    *itertools.chain.from_iterable(
        _quadrants(f"apparent_power_l{phase}", 216 + 4 * phase, "VA")
        for phase in (1, 2, 3)
    ),
    RegisterDescription(key="neutral_current", sources=(232,), unit="A", divisor=1000),
    *_phases("average_current", 233, "A", 1000),
    RegisterDescription(
        key="voltage_angle_l1_l2", sources=(236,), unit="°", divisor=100
    ),
    RegisterDescription(
        key="voltage_angle_l2_l3", sources=(237,), unit="°", divisor=100
    ),
    RegisterDescription(
        key="voltage_angle_l3_l1", sources=(238,), unit="°", divisor=100
    ),
    *_phases("reactive_power_import", 239, "var"),
    *_phases("reactive_power_export", 242, "var"),
)

_LISTED_SOURCES = frozenset(
    source for description in _CURRENT for source in description.sources
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """What is needed to find the registers of a meter.

    energy_unit is what a count of an energy register stands for, in Wh.
    """

    dimensions: RegisterDimensions
    selection: RegisterSelection
    present_selection: PresentSelection
    energy_unit: int
    firmware_major: int

    def length(self, table: int) -> int:
        """Return the length of BT23 or BT28."""
        layout = CurrentLayout if table == CURRENT_REGISTERS else PresentLayout
        return layout(self.dimensions).length


def locate_registers(facts: RegisterMap) -> Mapping[str, Register]:
    """Return the registers that a meter with these dimensions reports, by key."""
    registers = itertools.chain(_locate_current(facts), _locate_present(facts))
    located = {register.key: register for register in registers}
    if "power_import" in located and "power_export" in located:
        located["power_net"] = Register(
            key="power_net",
            unit="W",
            table=PRESENT_REGISTERS,
            operands=("power_import", "power_export"),
        )
    return MappingProxyType(located)


def _locate_current(facts: RegisterMap) -> Iterator[Register]:
    """Locate the registers of BT23, in total and per tier."""
    layout = CurrentLayout(facts.dimensions)
    indexes = _indexes(facts.selection.summations)
    apparent = {
        description.sources[0]: description.sources[0]
        for description in _APPARENT_ENERGY
    }
    unlisted = all(
        source not in _LISTED_SOURCES
        for source in facts.selection.summations[min(apparent) :]
    )
    has_apparent = (
        facts.firmware_major >= 4
        and len(facts.selection.summations) > max(apparent)
        and unlisted
    )
    for descriptions, positions in (
        (_CURRENT, indexes),
        (_APPARENT_ENERGY if has_apparent else (), apparent),
    ):
        for description in descriptions:
            source = description.sources[0]
            if source not in positions:
                continue
            tiers = facts.dimensions.tiers if description.tiered else 0
            for tier in (None, *range(tiers)):
                yield Register(
                    key=description.key
                    if tier is None
                    else f"{description.key}_tariff_{tier + 1}",
                    unit=description.unit,
                    table=CURRENT_REGISTERS,
                    offset=layout.summation(positions[source], tier),
                    source=None if positions is apparent else source,
                    multiplier=facts.energy_unit if description.counts_energy else 1,
                    divisor=description.divisor,
                )


def _locate_present(facts: RegisterMap) -> Iterator[Register]:
    """Locate the registers of BT28."""
    layout = PresentLayout(facts.dimensions)
    indexes = _indexes(facts.present_selection.values)
    for description in _PRESENT:
        source = next((id_ for id_ in description.sources if id_ in indexes), None)
        if source is None:
            continue
        yield Register(
            key=description.key,
            unit=description.unit,
            table=PRESENT_REGISTERS,
            offset=layout.value(indexes[source]),
            source=source,
            divisor=description.divisor,
        )


def _indexes(sources: tuple[int, ...]) -> dict[int, int]:
    """Return the position of each source; the first where one is listed twice."""
    return {source: index for index, source in reversed([*enumerate(sources)])}
