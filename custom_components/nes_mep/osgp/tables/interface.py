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
_FIRST_DATA_SET = 23
_ANSI_BIT = 3
_SEVERAL_DATA_SETS_BIT = 2
_LARGEST_DIGITS = 9
_SMALLEST_DIGITS = 5
_REQUIRED_LENGTH = 8
"""Length of the required section since 3.70; before, it has neither unit nor digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinedDataSet:
    """What ET42 says about a data set of the load profile, as ET21 does; sizes are bytes.

    is_ansi is that of DataSetConfiguration.
    """

    block_size: int
    channels: int
    interval_code: int
    interval_size: int
    is_ansi: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceDefinition:
    """The fields of ET42 that are in no other table, or in one that is out of reach.

    data_sets has the four data sets of the load profile, None for those not in use.
    load_profile_sources has the extended source ids of the channels of the four data
    sets of the load profile. energy_unit is what a count of an energy register stands
    for, in Wh, and rollover_digits is how many decimal digits such a register counts
    before it starts again at 0; both are None before 3.70.
    """

    data_sets: tuple[DefinedDataSet | None, ...]
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
    data_sets: list[DefinedDataSet | None] = [_data_set(table, _FIRST_DATA_SET)]
    sources = [_sources(table, offset, table.uint(29))]
    offset += 2 * len(sources[0])
    offset += 1 + _DATA_TYPE_LENGTH * table.uint(offset)
    used = 0
    if table.bit(4, _SEVERAL_DATA_SETS_BIT):
        used = table.uint(offset)
        offset += 1
    for index in range(_FURTHER_DATA_SETS):
        channels = table.uint(offset + 6) if used >> index & 1 else 0
        data_sets.append(_data_set(table, offset) if used >> index & 1 else None)
        if used >> index & 1:
            offset += _FURTHER_DATA_SET_LENGTH
        sources.append(_sources(table, offset, channels))
        offset += 2 * channels
    # The required section begins with its length; there is none before 3.60.
    is_told = offset < len(data) and table.uint(offset) >= _REQUIRED_LENGTH
    return InterfaceDefinition(
        data_sets=tuple(data_sets),
        load_profile_sources=tuple(sources),
        energy_unit=energy_unit_at(table, offset + 6) if is_told else None,
        rollover_digits=_rollover_digits(table, offset + 7) if is_told else None,
    )


def _data_set(table: TableData, offset: int) -> DefinedDataSet:
    return DefinedDataSet(
        block_size=table.uint(offset, 4),
        channels=table.uint(offset + 6),
        interval_code=table.uint(offset + 7),
        interval_size=table.uint(offset + 8),
        is_ansi=table.bit(offset + 9, _ANSI_BIT),
    )


def _sources(table: TableData, offset: int, channels: int) -> tuple[int, ...]:
    return tuple(table.uint(offset + 2 * channel, 2) for channel in range(channels))


def _rollover_digits(table: TableData, offset: int) -> int:
    digits = table.uint(offset)
    if not _SMALLEST_DIGITS <= digits <= _LARGEST_DIGITS:
        raise table.error(offset, 1, f"{digits} is not a number of register digits")
    return digits
