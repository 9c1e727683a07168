"""What the grid company writes on the meter's display: ET55, ET90, ET97."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from .fields import DATE_TIME_LENGTH, TableData, optional_date_time

MESSAGE_OFFSET: Final = 52
"""Offset in ET55."""

DISPLAY_TEXTS_OFFSET: Final = 16
"""Offset in ET90 of the number of texts in ET97, one byte."""
_MOST_DISPLAY_TEXTS: Final = 8
"""The guide has 3."""

_GENERATION_4: Final = (4, 0, 0)
_TEXT: Final = 8
"""Characters of the text; those of the id before it depend on the display."""
_DISMISSED_BIT: Final = 1


@dataclass(frozen=True, slots=True)
class DisplayMessage:
    """A scheduled or free text message: times are aware, in UTC.

    id are the characters that the display shows on its left side, with their decimal
    points. One whose end is before its start has been cancelled.
    """

    id: str
    text: str
    start: datetime
    end: datetime
    is_dismissed: bool

    def is_shown(self, now: datetime) -> bool:
        """Return whether the display shows it at an aware time."""
        return not self.is_dismissed and self.start <= now < self.end


def _id_length(firmware: tuple[int, int, int]) -> int:
    return 5 if firmware >= _GENERATION_4 else 4


def message_length(firmware: tuple[int, int, int]) -> int:
    """Return the length of the message in ET55, in bytes."""
    return _id_length(firmware) + 1 + _TEXT + 2 * DATE_TIME_LENGTH + 1


def decode_message(
    data: bytes, firmware: tuple[int, int, int]
) -> DisplayMessage | None:
    """Decode the message in ET55, message_length(firmware) bytes from its offset on.

    None where there never was one. Raises DecodeError for too few bytes.
    """
    table = TableData("ET55", data, MESSAGE_OFFSET)
    length = _id_length(firmware)
    points = table.uint(MESSAGE_OFFSET + length)
    place = MESSAGE_OFFSET + length + 1
    text = table.text(place, _TEXT)
    start, end = (
        optional_date_time(table, place + _TEXT + offset, UTC)
        for offset in (0, DATE_TIME_LENGTH)
    )
    is_dismissed = table.bit(place + _TEXT + 2 * DATE_TIME_LENGTH, _DISMISSED_BIT)
    if not text or start is None or end is None:
        return None
    characters = table.raw(MESSAGE_OFFSET, length)
    return DisplayMessage(
        _with_points(characters, points), text, start, end, is_dismissed
    )


def display_texts_length(data: bytes) -> int:
    """Return the length of the texts in ET97, by their number in ET90, one byte."""
    table = TableData("ET90", data, DISPLAY_TEXTS_OFFSET)
    return _TEXT * table.limited(DISPLAY_TEXTS_OFFSET, _MOST_DISPLAY_TEXTS)


def decode_display_texts(data: bytes) -> tuple[str, ...]:
    """Decode texts that the display shows among its readings; those not used are empty.

    data is the beginning of ET97, as long as display_texts_length says.
    """
    table = TableData("ET97", data)
    return tuple(table.text(place, _TEXT) for place in range(0, len(data), _TEXT))


def _with_points(characters: bytes, points: int) -> str:
    """Return characters with their decimal points, bit 0 for the rightmost one."""
    last = len(characters) - 1
    shown = (
        (chr(character) if 0x20 < character < 0x7F else " ")
        + ("." if points >> (last - place) & 1 else "")
        for place, character in enumerate(characters)
    )
    return "".join(shown).strip()
