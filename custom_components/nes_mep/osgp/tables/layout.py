"""Where the registers of BT23 and BT28 are."""

from collections.abc import Iterable
from dataclasses import dataclass

from .dimensions import RegisterDimensions

CURRENT_REGISTERS = 23
PRESENT_REGISTERS = 28
REGISTER_LENGTH = 4


@dataclass(frozen=True, slots=True)
class CurrentLayout:
    """Offsets in BT23, which holds a block of registers in total and per tier.

    A block consists of summations, demand records and coincident records. Before
    the block of totals, and only there, a meter with demand keeps the number of
    demand resets.
    """

    dimensions: RegisterDimensions

    @property
    def totals(self) -> int:
        """Offset of the first total: 1 after the demand reset counter, else 0."""
        return int(self.dimensions.demand_reset_counter)

    @property
    def demand_fields(self) -> dict[str, int]:
        """Offsets in a demand record of the fields that it has, with its length.

        Of several occurrences, the first ones.
        """
        dimensions = self.dimensions
        fields: dict[str, int] = {}
        offset = 0
        for name, present, length in (
            ("time", dimensions.event_times, 5 * dimensions.occurrences),
            ("cumulative", dimensions.cumulative_demand, REGISTER_LENGTH),
            ("continuous", dimensions.continuous_cumulative_demand, REGISTER_LENGTH),
            ("demand", dimensions.occurrences > 0, 4 * dimensions.occurrences),
        ):
            if present:
                fields[name] = offset
                offset += length
        return {**fields, "end": offset}

    @property
    def demand_record_length(self) -> int:
        """Length of a demand record: event times, cumulative values, demands."""
        return self.demand_fields["end"]

    @property
    def coincident_length(self) -> int:
        """Length of a coincident record."""
        return REGISTER_LENGTH * self.dimensions.occurrences

    @property
    def block_length(self) -> int:
        """Length of a block of registers."""
        dimensions = self.dimensions
        return (
            REGISTER_LENGTH * dimensions.summations
            + dimensions.demands * self.demand_record_length
            + dimensions.coincidents * self.coincident_length
        )

    @property
    def length(self) -> int:
        """Length of the whole table."""
        return self.totals + self.block_length * (1 + self.dimensions.tiers)

    def summation(self, index: int, tier: int | None = None) -> int:
        """Return the offset of a summation, in total or of a tier (from 0)."""
        return self._block(tier) + REGISTER_LENGTH * index

    def demand(self, index: int, tier: int | None = None) -> int:
        """Return the offset of a demand record."""
        return (
            self.summation(self.dimensions.summations, tier)
            + index * self.demand_record_length
        )

    def coincident(self, index: int, tier: int | None = None) -> int:
        """Return the offset of a coincident record."""
        return (
            self.demand(self.dimensions.demands, tier) + index * self.coincident_length
        )

    def _block(self, tier: int | None) -> int:
        """Return the offset of the block of totals, or of a tier."""
        return self.totals + self.block_length * (0 if tier is None else tier + 1)


@dataclass(frozen=True, slots=True)
class PresentLayout:
    """Offsets in BT28, which holds present demands and then present values."""

    dimensions: RegisterDimensions

    @property
    def demand_record_length(self) -> int:
        """Length of a present demand: the time remaining, if enabled, and the value."""
        return REGISTER_LENGTH + 3 * self.dimensions.time_remaining

    @property
    def values(self) -> int:
        """Offset of the first present value."""
        return self.demand_record_length * self.dimensions.present_demands

    @property
    def length(self) -> int:
        """Length of the whole table."""
        return self.value(self.dimensions.present_values)

    def demand(self, index: int) -> int:
        """Return the offset of a present demand, after its time remaining."""
        return (index + 1) * self.demand_record_length - REGISTER_LENGTH

    def value(self, index: int) -> int:
        """Return the offset of a present value."""
        return self.values + REGISTER_LENGTH * index


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive bytes of a table."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.length


def spans(registers: Iterable[Span], capacity: int, gap: int) -> list[Span]:
    """Return the fewest spans that hold the registers.

    No span is longer than capacity bytes or includes more than gap unwanted bytes in a
    row, and no register lies in two of them.
    """
    found: list[Span] = []
    for register in sorted(registers, key=lambda each: each.offset):
        if found:
            last = found[-1]
            length = max(last.length, register.end - last.offset)
            if length <= capacity and register.offset - last.end <= gap:
                found[-1] = Span(last.offset, length)
                continue
        found.append(register)
    return found
