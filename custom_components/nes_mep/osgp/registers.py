"""Where a meter keeps its registers, and how they become shown values."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from .register_descriptions import (
    APPARENT_ENERGIES,
    OUTAGE_DURATION,
    PRESENT_VALUES,
    SUMMATIONS,
    Ratio,
    RegisterDescription,
)
from .tables.constants import Constants
from .tables.dimensions import PresentSelection, RegisterDimensions, RegisterSelection
from .tables.fields import TableData
from .tables.identity import ALL_PHASES, Phases
from .tables.layout import (
    CURRENT_REGISTERS,
    PRESENT_REGISTERS,
    CurrentLayout,
    PresentLayout,
)

_PRESENT_DEMANDS = range(88, 96)
_PREVIOUS_DEMANDS = range(96, 104)
"""Source ids that stand for a demand of BT22, by its number."""

_SECONDS_PER_MINUTE = 60

type Value = float | int | str | bool | datetime
"""The value of a register; a naive datetime is the meter's local time."""


class RegisterKind(Enum):
    """How a register is stored; the value is its length in bytes."""

    NUMBER = 4
    COUNT = 1
    TIME = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A register that a meter reports, and where it is.

    A register with operands is in no table: it is the first of these registers
    minus the second. multiplier is None while the meter has not told it; until then the
    register has no value.
    """

    key: str
    unit: str | None
    table: int
    kind: RegisterKind = RegisterKind.NUMBER
    offset: int = 0
    source: int | None = None
    multiplier: int | None = 1
    divisor: int = 1
    operands: tuple[str, str] | None = None

    @property
    def length(self) -> int:
        """Length in bytes."""
        return self.kind.value

    def value(self, table: TableData) -> Value | None:
        """Return the value in the shown unit, None for a time that is not set.

        Raises DecodeError.
        """
        if self.kind is RegisterKind.TIME:
            return table.event_time(self.offset)
        if self.kind is RegisterKind.COUNT:
            return table.uint(self.offset)
        return self.shown(table.int32(self.offset))

    def shown(self, raw: int) -> float:
        """Return a number of the table in the shown unit.

        Raises ValueError while the multiplier is unknown.
        """
        if self.multiplier is None:
            raise ValueError(f"It is not known yet what a count of {self.key} is")
        value = raw * self.multiplier
        return value if self.divisor == 1 else value / self.divisor


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterMap:
    """What is needed to find and scale the registers of a meter.

    energy_unit is what a count of an energy register stands for, in Wh. outage_minutes
    says whether the meter counts the time without power in minutes. What the meter has
    not told yet is None.
    """

    dimensions: RegisterDimensions
    firmware_major: int
    selection: RegisterSelection | None = None
    present_selection: PresentSelection | None = None
    constants: Constants | None = None
    phases: Phases | None = ALL_PHASES
    energy_unit: int | None = None
    outage_minutes: bool = False

    def length(self, table: int) -> int:
        """Return the length of BT23 or BT28."""
        layout = CurrentLayout if table == CURRENT_REGISTERS else PresentLayout
        return layout(self.dimensions).length

    @property
    def tiers(self) -> tuple[int | None, ...]:
        """The blocks of BT23: None for the totals, then the tiers from 0 on."""
        return (None, *range(self.dimensions.tiers))

    def multiplier(self, ratio: Ratio) -> int | None:
        """Return the factor for a register that does not include these ratios.

        Return None while it is unknown.
        """
        if ratio is Ratio.NONE:
            return 1
        if self.constants is None:
            return None
        current, voltage = self.constants.ratios
        return {
            Ratio.CURRENT: current,
            Ratio.VOLTAGE: voltage,
            Ratio.POWER: current * voltage,
        }[ratio]

    def has_phases(self, description: RegisterDescription) -> bool:
        """Return whether the meter has the phases of a register.

        While that is unknown, there are none.
        """
        if not description.phases:
            return True
        if self.phases is None:
            return False
        is_voltage = description.is_voltage
        present = self.phases.voltage if is_voltage else self.phases.current
        return description.phases <= set(present)


def locate_registers(facts: RegisterMap) -> Mapping[str, Register]:
    """Return the registers that a meter with these dimensions reports, by key.

    Those of a table whose selection is unknown are left out.
    """
    located: dict[str, Register] = {}
    for locate in (_summations, _present_values, _demands, _present_demands):
        for register in locate(facts):
            located.setdefault(register.key, register)
    if "power_import" in located and "power_export" in located:
        located["power_net"] = Register(
            key="power_net",
            unit="W",
            table=PRESENT_REGISTERS,
            operands=("power_import", "power_export"),
        )
    return MappingProxyType(located)


def _summations(facts: RegisterMap) -> Iterator[Register]:
    """Locate the summations of BT23, in total and per tier."""
    if facts.selection is None:
        return
    indexes = _indexes(facts.selection.summations)
    for description in SUMMATIONS:
        if description.source in indexes:
            yield from _in_blocks(
                facts, description, indexes[description.source], description.source
            )
    if _has_apparent_energies(facts.firmware_major, facts.selection.summations):
        for description in APPARENT_ENERGIES:
            yield from _in_blocks(facts, description, description.source, None)


def _in_blocks(
    facts: RegisterMap,
    description: RegisterDescription,
    index: int,
    source: int | None,
) -> Iterator[Register]:
    """Locate a summation in the totals and, where they have it, in the tiers."""
    layout = CurrentLayout(facts.dimensions)
    multiplier = facts.energy_unit if description.counts_energy else 1
    if description.source == OUTAGE_DURATION and facts.outage_minutes:
        multiplier = _SECONDS_PER_MINUTE
    for tier in facts.tiers if description.tiered else (None,):
        yield Register(
            key=description.key + _tariff(tier),
            unit=description.unit,
            table=CURRENT_REGISTERS,
            offset=layout.summation(index, tier),
            source=source,
            multiplier=multiplier,
            divisor=description.divisor,
        )


def _has_apparent_energies(firmware_major: int, summations: tuple[int, ...]) -> bool:
    """Return whether the last four summations of a 4.x meter have no known source."""
    listed = {description.source for description in SUMMATIONS}
    positions = [description.source for description in APPARENT_ENERGIES]
    return (
        firmware_major >= 4
        and len(summations) > max(positions)
        and listed.isdisjoint(summations[position] for position in positions)
    )


def _present_values(facts: RegisterMap) -> Iterator[Register]:
    """Locate the present values of BT28.

    Sources after the ratios are used where ratios are enabled. Elsewhere they have the
    same values as the plain ones (guide), which lie together at the beginning.
    """
    if facts.present_selection is None:
        return
    is_direct = facts.constants is not None and not facts.constants.applied
    layout = PresentLayout(facts.dimensions)
    indexes = _indexes(facts.present_selection.values)
    for description in PRESENT_VALUES:
        if not facts.has_phases(description):
            continue
        after = description.source_after_ratio
        source = after if after in indexes else description.source
        if is_direct and description.source in indexes:
            source = description.source
        if source not in indexes:
            continue
        # Which of the two it is, is not known without the ratios.
        is_multiplied = source == after and facts.constants is not None
        ratio = Ratio.NONE if is_multiplied else description.ratio
        yield Register(
            key=description.key,
            unit=description.unit,
            table=PRESENT_REGISTERS,
            offset=layout.value(indexes[source]),
            source=source,
            multiplier=facts.multiplier(ratio),
            divisor=description.divisor,
        )


def _demands(facts: RegisterMap) -> Iterator[Register]:
    """Locate the demand and coincident registers of BT23, in total and per tier.

    Transformer ratios are in all values of BT23.
    """
    dimensions, selection = facts.dimensions, facts.selection
    if selection is None:
        return
    layout = CurrentLayout(dimensions)
    if dimensions.demand_reset_counter:
        yield Register(
            key="demand_resets",
            unit=None,
            table=CURRENT_REGISTERS,
            kind=RegisterKind.COUNT,
        )
    names: dict[int, str] = {}
    for index, source in enumerate(selection.demands):
        if (description := _described(facts, source)) is None:
            continue
        extreme = "maximum" if selection.maximum[index] else "minimum"
        names[index] = f"{extreme}_demand_{description.key}"
        fields = layout.demand_fields
        for tier in facts.tiers:
            record = layout.demand(index, tier)
            for field, key, kind in (
                ("time", f"{names[index]}_time", RegisterKind.TIME),
                ("cumulative", f"cumulative_demand_{description.key}", None),
                ("continuous", f"continuous_cumulative_demand_{description.key}", None),
                ("demand", names[index], None),
            ):
                if field in fields:
                    yield Register(
                        key=key + _tariff(tier),
                        unit=None if kind else description.unit,
                        table=CURRENT_REGISTERS,
                        kind=kind or RegisterKind.NUMBER,
                        offset=record + fields[field],
                        source=source,
                        divisor=description.divisor,
                    )
    for index, source in enumerate(selection.coincidents):
        demand = selection.coincident_demands[index]
        description = _described(facts, source)
        if description is None or demand not in names:
            continue
        for tier in facts.tiers:
            yield Register(
                key=f"coincident_{description.key}_at_{names[demand]}{_tariff(tier)}",
                unit=description.unit,
                table=CURRENT_REGISTERS,
                offset=layout.coincident(index, tier),
                source=source,
                divisor=description.divisor,
            )


def _present_demands(facts: RegisterMap) -> Iterator[Register]:
    """Locate the present demands of BT28, which may refer to the demands of BT22."""
    if facts.present_selection is None or facts.selection is None:
        return
    layout = PresentLayout(facts.dimensions)
    for index, listed in enumerate(facts.present_selection.demands):
        source, name = listed, "present"
        for numbers, numbered_name in (
            (_PRESENT_DEMANDS, "present"),
            (_PREVIOUS_DEMANDS, "previous"),
        ):
            number = listed - numbers.start
            if listed in numbers and number < len(facts.selection.demands):
                source, name = facts.selection.demands[number], numbered_name
        if (description := _described(facts, source)) is None:
            continue
        after = source == description.source_after_ratio
        yield Register(
            key=f"{name}_demand_{description.key}",
            unit=description.unit,
            table=PRESENT_REGISTERS,
            offset=layout.demand(index),
            source=listed,
            multiplier=facts.multiplier(Ratio.NONE if after else description.ratio),
            divisor=description.divisor,
        )


_BY_SOURCE: Mapping[int, RegisterDescription] = {
    source: description
    for description in PRESENT_VALUES
    for source in (description.source, description.source_after_ratio)
    if source is not None
}
"""The values that demands and coincident values can refer to, by source id."""


def _described(facts: RegisterMap, source: int) -> RegisterDescription | None:
    """Return what a demand or coincident value is of, None for what this meter lacks."""
    description = _BY_SOURCE.get(source)
    return description if description and facts.has_phases(description) else None


def _tariff(tier: int | None) -> str:
    """Return the end of a key: tiers are shown as tariffs, from 1."""
    return "" if tier is None else f"_tariff_{tier + 1}"


def _indexes(sources: tuple[int, ...]) -> dict[int, int]:
    """Return the position of each source; the first where one is listed twice."""
    return {source: index for index, source in reversed([*enumerate(sources)])}
