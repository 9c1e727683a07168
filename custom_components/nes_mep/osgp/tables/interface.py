"""ET42: a collection of the dimensions that can change within a firmware version."""

from dataclasses import dataclass
from typing import Final

from .fields import TableData

LENGTH_FIELD: Final = 2
"""Length of the field at the beginning of ET42 that has the length of the table."""

_LOG_LENGTH = 3
_DATA_TYPE_LENGTH = 4
_FURTHER_DATA_SET_LENGTH = 14
_FURTHER_DATA_SETS = 3
_SEVERAL_DATA_SETS_BIT = 2
_LARGEST_DIGITS = 9
_SMALLEST_DIGITS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfaceDefinition:
    """The fields of ET42 that are in no other table.

    load_profile_sources has the extended source ids of the channels of the four data
    sets of the load profile. rollover_digits is how many decimal digits an energy
    register counts, in its unit, before it starts again at 0; None before 3.70.
    """

    load_profile_sources: tuple[tuple[int, ...], ...]
    rollover_digits: int | None


def decode_interface_definition_length(data: bytes) -> int:
    """Decode the length of ET42, from its first 2 bytes."""
    return TableData("ET42", data).uint(0, LENGTH_FIELD)


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
    return InterfaceDefinition(
        load_profile_sources=tuple(sources),
        rollover_digits=_rollover_digits(table, offset),
    )


def _sources(table: TableData, offset: int, channels: int) -> tuple[int, ...]:
    return tuple(table.uint(offset + 2 * channel, 2) for channel in range(channels))


def _rollover_digits(table: TableData, offset: int) -> int | None:
    """Return the last byte of the required section, which begins with its length.

    Before 3.60 there is none, and it is shorter before 3.70.
    """
    if offset >= len(table.data) or table.uint(offset) < 8:
        return None
    digits = table.uint(offset + 7)
    if not _SMALLEST_DIGITS <= digits <= _LARGEST_DIGITS:
        raise table.error(offset + 7, 1, f"{digits} is not a number of register digits")
    return digits
