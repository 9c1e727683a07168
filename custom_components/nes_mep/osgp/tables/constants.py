"""Transformer ratios and the unit of energy registers: BT15 and ET55."""

from dataclasses import dataclass

from .fields import TableData

CONSTANTS_LENGTH = 17
_ENERGY_UNITS = (1, 10, 100)
_DIRECT = (0, 1)
"""Ratios of a meter without transformers: not set, or 1."""


@dataclass(frozen=True, slots=True)
class Constants:
    """BT15: the ratios of current and voltage transformers.

    applied says whether the meter applies them to its data. The guide states no
    scale, so they are whole numbers.
    """

    applied: bool
    current_ratio: int
    voltage_ratio: int

    @property
    def ratios(self) -> tuple[int, int]:
        """The ratios of current and voltage that values must be multiplied with."""
        if not self.applied:
            return 1, 1
        return max(1, self.current_ratio), max(1, self.voltage_ratio)

    @property
    def has_transformers(self) -> bool:
        """Whether the meter is connected through transformers."""
        return (
            self.applied
            or self.current_ratio not in _DIRECT
            or self.voltage_ratio not in _DIRECT
        )


NO_TRANSFORMERS = Constants(applied=False, current_ratio=1, voltage_ratio=1)


def decode_constants(data: bytes) -> Constants:
    """Decode BT15, 17 bytes. Raises DecodeError, also for negative ratios."""
    table = TableData("BT15", data)
    for offset in (9, 13):
        if table.int32(offset) < 0:
            raise table.error(offset, 4, f"{table.int32(offset)} is not a ratio")
    return Constants(
        applied=table.bit(8, 0),
        current_ratio=table.int32(9),
        voltage_ratio=table.int32(13),
    )


def energy_unit_offset(firmware_major: int, maximum_tiers: int) -> int:
    """Return the offset of the energy register unit in ET55.

    It follows the thresholds of the step tariff, of which there is one less than the
    tiers that the meter can have (BT20.7); 4.x meters have one more byte before them.
    """
    thresholds = 147 if firmware_major >= 4 else 146
    return thresholds + 4 * (maximum_tiers - 1) + 39


def decode_energy_unit(data: bytes, offset: int) -> int:
    """Decode the energy register unit, in Wh: one byte of ET55 at the offset.

    Raises DecodeError for other units than 1, 10 and 100.
    """
    return energy_unit_at(TableData("ET55", data, start=offset), offset)


def energy_unit_at(table: TableData, offset: int) -> int:
    """Return the energy register unit, in Wh, that a byte of a table is.

    Raises DecodeError for other units than 1, 10 and 100.
    """
    unit = table.uint(offset)
    if unit not in _ENERGY_UNITS:
        raise table.error(offset, 1, f"{unit} is not an energy register unit")
    return unit
