"""How the register tables are laid out: BT20, BT21, BT22 and BT27."""

from dataclasses import dataclass, replace

from .fields import TableData

DIMENSIONS_LENGTH = 10
MAXIMUM_TIERS_OFFSET = 7

_LARGEST_SELF_READS = 253
_LARGEST_SUMMATIONS = 19
_LARGEST_DEMANDS = 8
_LARGEST_COINCIDENTS = 16
_LARGEST_OCCURRENCES = 1
_LARGEST_TIERS = 8
_LARGEST_PRESENT_DEMANDS = 16
"""Source ids of present demands: 88 to 95, and 96 to 103 for the previous ones."""
_LARGEST_PRESENT_VALUES = 84


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
    """Decode BT21, 10 bytes.

    Raises DecodeError, also for more registers than the guide knows.
    """
    return _decode_dimensions(TableData("BT21", data))


def decode_fixed_dimensions(data: bytes) -> RegisterDimensions:
    """Decode BT20, 10 bytes, of firmware without BT21.

    It has no demands, whatever BT20 says: its maxima hold for the rest. Raises
    DecodeError.
    """
    return replace(
        _decode_dimensions(TableData("BT20", data)),
        demand_reset_counter=False,
        cumulative_demand=False,
        continuous_cumulative_demand=False,
        time_remaining=False,
        demands=0,
        coincidents=0,
        occurrences=0,
        present_demands=0,
    )


def decode_maximum_tiers(data: bytes) -> int:
    """Decode how many tiers the meter can have: one byte of BT20, at 7."""
    table = TableData("BT20", data, MAXIMUM_TIERS_OFFSET)
    return table.limited(MAXIMUM_TIERS_OFFSET, _LARGEST_TIERS)


def _decode_dimensions(table: TableData) -> RegisterDimensions:
    return RegisterDimensions(
        event_times=table.bit(0, 1),
        demand_reset_counter=table.bit(0, 2),
        cumulative_demand=table.bit(0, 4),
        continuous_cumulative_demand=table.bit(0, 5),
        time_remaining=table.bit(0, 6),
        self_reads=table.limited(2, _LARGEST_SELF_READS),
        summations=table.limited(3, _LARGEST_SUMMATIONS),
        demands=table.limited(4, _LARGEST_DEMANDS),
        coincidents=table.limited(5, _LARGEST_COINCIDENTS),
        occurrences=table.limited(6, _LARGEST_OCCURRENCES),
        tiers=table.limited(MAXIMUM_TIERS_OFFSET, _LARGEST_TIERS),
        present_demands=table.limited(8, _LARGEST_PRESENT_DEMANDS),
        present_values=table.limited(9, _LARGEST_PRESENT_VALUES),
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
    """Decode BT22, whose length is dimensions.selection_length.

    Raises DecodeError, also where it refers to a demand that there is not.
    """
    table = TableData("BT22", data)
    summations, demands = dimensions.summations, dimensions.demands
    flags = summations + demands
    coincidents = flags + (demands + 7) // 8
    _require_sources(table, 0, summations)
    for index in range(dimensions.coincidents):
        table.limited(coincidents + dimensions.coincidents + index, demands - 1)
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
    """Decode BT27, whose length is dimensions.present_selection_length.

    Raises DecodeError.
    """
    table = TableData("BT27", data)
    _require_sources(table, dimensions.present_demands, dimensions.present_values)
    return PresentSelection(
        demands=tuple(table.raw(0, dimensions.present_demands)),
        values=tuple(table.raw(dimensions.present_demands, dimensions.present_values)),
    )


def _require_sources(table: TableData, offset: int, count: int) -> None:
    """Raise DecodeError if none of the registers of a selection has a source."""
    if count and set(table.raw(offset, count)) == {_NO_SOURCE}:
        raise table.error(offset, count, "no register has a source")


_NO_SOURCE = 255
_DEFAULT_SUMMATIONS = (0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28, 108, 109, 110, 111)

_FIRST_PRESENT_VALUES = (*range(8, 26), *range(81, 85))
_QUADRANTS = tuple(range(104, 108))
_FURTHER_PRESENT_VALUES = (*range(185, 200), *range(202, 245))
_PRESENT_VALUE_COUNTS = frozenset({22, 26, 41, 55, 72, 75, 84})
"""How many present values the firmware versions have, quadrants included."""


def default_register_selection(dimensions: RegisterDimensions) -> RegisterSelection:
    """Return the order of BT23 in the guide, for meters without BT22.

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
    """Return the order of BT28 in the guide, for meters without BT27.

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
