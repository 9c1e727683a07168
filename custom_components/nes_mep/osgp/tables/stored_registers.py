"""Copies of BT23 that the meter stores with a time: BT24, BT25, BT26 and ET41."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .fields import TableData
from .layout import Span

BILLING_NUMBER_LENGTH: Final = 2
TIME_LENGTH: Final = 5
HEAD_LENGTH: Final = TIME_LENGTH + 1
"""Bytes of time and season, which the registers follow."""


@dataclass(frozen=True, slots=True)
class StoredHead:
    """What precedes stored registers.

    time is the meter's local time. season counts from 0. billing_number (BIDN) tells
    configurations apart, where the table has it.
    """

    time: datetime
    season: int
    billing_number: int | None


def head_span(lead: int) -> Span:
    """Return where the head is, counted from the first register.

    lead is the number of bytes before the time. The billing number is the last of them.
    """
    length = HEAD_LENGTH + (BILLING_NUMBER_LENGTH if lead else 0)
    return Span(-length, length)


def decode_stored_head(table: TableData, lead: int) -> StoredHead | None:
    """Decode what precedes registers, from bytes whose offset 0 is the first register.

    Return None where there is no date, because nothing was stored there so far. Raises
    DecodeError if there are too few bytes.
    """
    if (time := table.event_time(-HEAD_LENGTH)) is None:
        return None
    place = -HEAD_LENGTH - BILLING_NUMBER_LENGTH
    return StoredHead(
        time=time,
        season=table.uint(-1),
        billing_number=table.uint(place, BILLING_NUMBER_LENGTH) if lead else None,
    )
