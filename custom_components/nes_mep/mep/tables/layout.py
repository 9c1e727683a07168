"""Where the registers of BT23 and BT28 are."""

from collections.abc import Iterable
from dataclasses import dataclass

from .data import TableData
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
        """Offset of the first total: 1 behind the demand reset counter, else 0."""
        return int(self.dimensions.demand_reset_counter)

    @property
    def demand_record_length(self) -> int:
        """Length of a demand record: event times, cumulative values, demands."""
        dimensions = self.dimensions
        return (
            5 * dimensions.occurrences * dimensions.event_times
            + 4 * dimensions.cumulative_demand
            + 4 * dimensions.continuous_cumulative_demand
            + 4 * dimensions.occurrences
        )

    @property
    def block_length(self) -> int:
        """Length of a block of registers."""
        dimensions = self.dimensions
        return (
            REGISTER_LENGTH * dimensions.summations
            + dimensions.demands * self.demand_record_length
            + dimensions.coincidents * REGISTER_LENGTH * dimensions.occurrences
        )

    @property
    def length(self) -> int:
        """Length of the whole table."""
        return self.totals + self.block_length * (1 + self.dimensions.tiers)

    def summation(self, index: int, tier: int | None = None) -> int:
        """Return the offset of a summation, in total or of a tier (from 0)."""
        block = 0 if tier is None else tier + 1
        return self.totals + block * self.block_length + REGISTER_LENGTH * index


@dataclass(frozen=True, slots=True)
class PresentLayout:
    """Offsets in BT28, which holds present demands and then present values."""

    dimensions: RegisterDimensions

    @property
    def values(self) -> int:
        """Offset of the first present value."""
        time_remaining = 3 * self.dimensions.time_remaining
        return (time_remaining + REGISTER_LENGTH) * self.dimensions.present_demands

    @property
    def length(self) -> int:
        """Length of the whole table."""
        return self.value(self.dimensions.present_values)

    def value(self, index: int) -> int:
        """Return the offset of a present value."""
        return self.values + REGISTER_LENGTH * index


@dataclass(frozen=True, slots=True)
class Span:
    """Consecutive bytes of a table."""

    offset: int
    length: int


def spans(offsets: Iterable[int], capacity: int, gap: int) -> list[Span]:
    """Return the fewest spans that hold the registers at the offsets.

    No span is longer than capacity bytes or goes over more than gap bytes that are
    not wanted, and no register lies in two of them.
    """
    found: list[Span] = []
    for offset in sorted(offsets):
        end = offset + REGISTER_LENGTH
        if found:
            last = found[-1]
            if end - last.offset <= capacity and (
                offset - last.offset - last.length <= gap
            ):
                found[-1] = Span(last.offset, max(last.length, end - last.offset))
                continue
        found.append(Span(offset, REGISTER_LENGTH))
    return found


def decode_registers(
    name: str, data: bytes, span: Span, offsets: Iterable[int]
) -> dict[int, int]:
    """Return the registers, signed numbers, of a span by their offsets."""
    table = TableData(name, data, start=span.offset)
    end = span.offset + span.length
    return {
        offset: table.int32(offset) for offset in offsets if span.offset <= offset < end
    }
