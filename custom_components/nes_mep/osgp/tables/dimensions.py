"""How the register tables are laid out: BT20, BT21, BT22 and BT27."""

from dataclasses import dataclass

from .fields import TableData

DIMENSIONS_LENGTH = 10


@dataclass(frozen=True, slots=True)
class RegisterDimensions:
    """BT21, actual register dimensions.

    The names follow the guide; the flags are bits of byte 0. self_reads to
    present_values are counts.
    """

    event_times: bool
    demand_reset_counter: bool
    cumulative_demand: bool
    continuous_cumulative_demand: bool
    time_remaining: bool
    self_reads: int
    summations: int
    demands: int
    coincidents: int
    occurrences: int
    tiers: int
    present_demands: int
    present_values: int

    @property
    def selection_length(self) -> int:
        """Length of BT22 in bytes."""
        return (
            self.summations
            + self.demands
            + (self.demands + 7) // 8
            + 2 * self.coincidents
        )

    @property
    def present_selection_length(self) -> int:
        """Length of BT27 in bytes."""
        return self.present_demands + self.present_values


def decode_register_dimensions(data: bytes) -> RegisterDimensions:
    """Decode BT21, 10 bytes."""
    table = TableData("BT21", data)
    return RegisterDimensions(
        event_times=table.bit(0, 1),
        demand_reset_counter=table.bit(0, 2),
        cumulative_demand=table.bit(0, 4),
        continuous_cumulative_demand=table.bit(0, 5),
        time_remaining=table.bit(0, 6),
        self_reads=table.uint(2),
        summations=table.uint(3),
        demands=table.uint(4),
        coincidents=table.uint(5),
        occurrences=table.uint(6),
        tiers=table.uint(7),
        present_demands=table.uint(8),
        present_values=table.uint(9),
    )


@dataclass(frozen=True, slots=True)
class RegisterSelection:
    """BT22: the source ids of BT23, in the order of its registers.

    maximum says for each demand whether it is a maximum (else a minimum), and
    coincident_demands for each coincident value the index of its demand.
    """

    summations: tuple[int, ...]
    demands: tuple[int, ...] = ()
    maximum: tuple[bool, ...] = ()
    coincidents: tuple[int, ...] = ()
    coincident_demands: tuple[int, ...] = ()


def decode_register_selection(
    data: bytes, dimensions: RegisterDimensions
) -> RegisterSelection:
    """Decode BT22, whose length is dimensions.selection_length."""
    table = TableData("BT22", data)
    summations, demands = dimensions.summations, dimensions.demands
    flags = summations + demands
    coincidents = flags + (demands + 7) // 8
    return RegisterSelection(
        summations=tuple(table.raw(0, summations)),
        demands=tuple(table.raw(summations, demands)),
        maximum=tuple(
            table.bit(flags + index // 8, index % 8) for index in range(demands)
        ),
        coincidents=tuple(table.raw(coincidents, dimensions.coincidents)),
        coincident_demands=tuple(
            table.raw(coincidents + dimensions.coincidents, dimensions.coincidents)
        ),
    )


@dataclass(frozen=True, slots=True)
class PresentSelection:
    """BT27: the source ids of BT28, in the order of its registers."""

    demands: tuple[int, ...]
    values: tuple[int, ...]


def decode_present_selection(
    data: bytes, dimensions: RegisterDimensions
) -> PresentSelection:
    """Decode BT27, whose length is dimensions.present_selection_length."""
    table = TableData("BT27", data)
    return PresentSelection(
        demands=tuple(table.raw(0, dimensions.present_demands)),
        values=tuple(table.raw(dimensions.present_demands, dimensions.present_values)),
    )


_NO_SOURCE = 255
_DEFAULT_SUMMATIONS = (0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28, 108, 109, 110, 111)

_FIRST_PRESENT_VALUES = (*range(8, 26), *range(81, 85))
_QUADRANTS = tuple(range(104, 108))
_FURTHER_PRESENT_VALUES = (*range(185, 200), *range(202, 245))
_PRESENT_VALUE_COUNTS = frozenset({22, 26, 41, 55, 72, 75, 84})
"""How many present values the firmware versions have, quadrants included."""


def default_register_selection(dimensions: RegisterDimensions) -> RegisterSelection:
    """Return the order of BT23 that the guide prints, for meters that refuse BT22.

    Summations beyond the listed ones have no source id; they and the demands get
    the id 255, "not in use".
    """
    return RegisterSelection(
        summations=_in_order(_DEFAULT_SUMMATIONS, dimensions.summations),
        demands=_in_order((), dimensions.demands),
        maximum=(True,) * dimensions.demands,
        coincidents=_in_order((), dimensions.coincidents),
        coincident_demands=(0,) * dimensions.coincidents,
    )


def default_present_selection(dimensions: RegisterDimensions) -> PresentSelection:
    """Return the order of BT28 that the guide prints, for meters that refuse BT27.

    3.x meters without demand may lack the quadrants, and then all later values move up;
    if the number of values does not show that, only those before are known.
    """
    count = dimensions.present_values
    values = _FIRST_PRESENT_VALUES
    if count in _PRESENT_VALUE_COUNTS:
        values += _QUADRANTS + _FURTHER_PRESENT_VALUES
    elif count + len(_QUADRANTS) in _PRESENT_VALUE_COUNTS:
        values += _FURTHER_PRESENT_VALUES
    return PresentSelection(
        demands=_in_order((), dimensions.present_demands),
        values=_in_order(values, count),
    )


def _in_order(sources: tuple[int, ...], count: int) -> tuple[int, ...]:
    return (sources + (_NO_SOURCE,) * count)[:count]
