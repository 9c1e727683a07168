"""ET42: a collection of the dimensions that can change within a firmware version."""

from dataclasses import dataclass
from typing import Final

from .constants import energy_unit_at
from .fields import TableData

LENGTH_FIELD: Final = 2
"""Length of the field at the beginning of ET42 that has the length of the table."""

_LONGEST = 1024
"""Bytes, more than the parts of the table can have; the guide's meters use 100 to 300."""

_LOG_LENGTH = 3
_DATA_TYPE_LENGTH = 4
_FURTHER_DATA_SET_LENGTH = 14
_FURTHER_DATA_SETS = 3
_SEVERAL_DATA_SETS_BIT = 2
_LARGEST_DIGITS = 9
_SMALLEST_DIGITS = 5
_REQUIRED_LENGTH = 8
"""Length of the required section since 3.70; before, it has neither unit nor digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceDefinition:
    """The fields of ET42 that are in no other table.

    load_profile_sources has the extended source ids of the channels of the four data
    sets of the load profile. energy_unit is what a count of an energy register stands
    for, in Wh, and rollover_digits is how many decimal digits such a register counts
    before it starts again at 0; both are None before 3.70.
    """

    load_profile_sources: tuple[tuple[int, ...], ...]
    energy_unit: int | None
    rollover_digits: int | None


def decode_interface_definition_length(data: bytes) -> int:
    """Decode the length of ET42, from its first 2 bytes. Raises DecodeError."""
    return TableData("ET42", data).limited(0, _LONGEST, LENGTH_FIELD)


def decode_interface_definition(data: bytes) -> InterfaceDefinition:
    """Decode all of ET42; its parts follow each other at no fixed offsets.

    Raises DecodeError.
    """
    table = TableData("ET42", data)
    offset = table.uint(2) + _LOG_LENGTH * table.uint(3)
    offset += table.uint(13) + table.uint(14)
    sources = [_sources(table, offset, table.uint(29))]
    offset += 2 * len(sources[0])
    offset += 1 + _DATA_TYPE_LENGTH * table.uint(offset)
    used = 0
    if table.bit(4, _SEVERAL_DATA_SETS_BIT):
        used = table.uint(offset)
        offset += 1
    for index in range(_FURTHER_DATA_SETS):
        channels = table.uint(offset + 6) if used >> index & 1 else 0
        if used >> index & 1:
            offset += _FURTHER_DATA_SET_LENGTH
        sources.append(_sources(table, offset, channels))
        offset += 2 * channels
    # The required section begins with its length; there is none before 3.60.
    is_told = offset < len(data) and table.uint(offset) >= _REQUIRED_LENGTH
    return InterfaceDefinition(
        load_profile_sources=tuple(sources),
        energy_unit=energy_unit_at(table, offset + 6) if is_told else None,
        rollover_digits=_rollover_digits(table, offset + 7) if is_told else None,
    )


def _sources(table: TableData, offset: int, channels: int) -> tuple[int, ...]:
    return tuple(table.uint(offset + 2 * channel, 2) for channel in range(channels))


def _rollover_digits(table: TableData, offset: int) -> int:
    digits = table.uint(offset)
    if not _SMALLEST_DIGITS <= digits <= _LARGEST_DIGITS:
        raise table.error(offset, 1, f"{digits} is not a number of register digits")
    return digits
