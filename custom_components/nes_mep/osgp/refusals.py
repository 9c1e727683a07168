"""What a refusal says about the table that was asked for: one table of codes."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from .errors import MeterError, RefusalError
from .requests import ResponseCode


class Meaning(Enum):
    """What a response code says of a table."""

    ABSENT = "absent"
    """The meter does not have it."""
    OUT_OF_REACH = "out of reach"
    """The meter never shows it to this key."""
    NOT_NOW = "not now"
    """Nothing: the same request may be answered the next time."""


_MEANINGS: Final[Mapping[int, Meaning]] = {
    ResponseCode.UNSUPPORTED: Meaning.OUT_OF_REACH,
    ResponseCode.NO_PERMISSION: Meaning.OUT_OF_REACH,
    ResponseCode.TABLE_NOT_POSSIBLE: Meaning.ABSENT,
}
"""All other codes mean "not now". The guide has 05 for tables that a firmware lacks, and
03 for those that are locked in a country whatever the key."""


def meaning(err: MeterError) -> Meaning:
    """Return what an error says of the table; silence and damage say nothing."""
    if isinstance(err, RefusalError):
        return _MEANINGS.get(err.code, Meaning.NOT_NOW)
    return Meaning.NOT_NOW


def is_absent(err: MeterError) -> bool:
    """Return whether an error says that the meter does not have the table."""
    return meaning(err) is Meaning.ABSENT


def is_out_of_reach(err: MeterError) -> bool:
    """Return whether an error says that the table cannot be read, now or later."""
    return meaning(err) is not Meaning.NOT_NOW
