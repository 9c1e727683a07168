"""The keys of a meter, as grid companies hand them out."""

from enum import IntEnum
import re
from typing import Final, override

from .pasting import pasted_text

KEY_LENGTH = 16
"""Length of a key in bytes; what follows is ignored."""
_LONGEST_KEY = 20

_END: Final = "00"
"""What a text that is a key may end with, as hex digits."""

_NOT_DIGITS: Final = re.compile(r"0[xX]|[\W_]")
"""What stands before and between hex digits."""


class KeyKind(IntEnum):
    """Which of a meter's keys it is; in TLS the meter is sent this number."""

    BASIC = 0
    ADVANCED = 1


class HiddenKey(bytes):
    """The bytes of a key, which repr and str do not show."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        """Return a text without the key."""
        return f"<{type(self).__name__} of {len(self)} bytes>"

    __str__ = __repr__


class MepKey(HiddenKey):
    """A key of the MEP, 16 bytes."""

    __slots__ = ()


class OpticalKey(HiddenKey):
    """A key of the optical port, up to 20 bytes."""

    __slots__ = ()


def parse_key(text: str) -> MepKey:
    """Return the 16 bytes of a key that a person entered.

    Accepted are 16 to 20 printable ASCII characters, of which the first 16 count
    (guide, "Authentication"), and the same key as 32 or 40 hex digits, with or without
    the prefix 0x, before all or each of the bytes, and with any separators between
    them; 42 if they end in 00. What came along when the key was copied is dropped.
    Raises ValueError, without the key in its text.
    """
    text = pasted_text(text)
    digits = _NOT_DIGITS.sub("", text)
    if len(digits) == 2 * _LONGEST_KEY + len(_END):
        # As the NES-MEP-Reader shows it.
        digits = digits.removesuffix(_END)
    if len(digits) in (2 * KEY_LENGTH, 2 * _LONGEST_KEY):
        try:
            return MepKey(bytes.fromhex(digits)[:KEY_LENGTH])
        except ValueError:
            raise ValueError(
                "A key this long must consist of hex digits only"
            ) from None
    if not KEY_LENGTH <= len(text) <= _LONGEST_KEY:
        raise ValueError(
            f"A key has {KEY_LENGTH} to {_LONGEST_KEY} characters, or "
            f"{2 * KEY_LENGTH} or {2 * _LONGEST_KEY} hex digits"
        )
    if not (text.isascii() and text.isprintable()):
        raise ValueError("A key consists of printable ASCII characters")
    return MepKey(text.encode("ascii")[:KEY_LENGTH])


def parse_optical_key(text: str) -> OpticalKey:
    """Return the bytes of a key of the optical port that a person entered.

    Accepted are up to 20 printable ASCII characters, and 20 bytes as 40 hex digits, with
    or without the prefix 0x and separators. 20 characters that look like hex digits are
    characters. What came along when the key was copied is dropped. Raises ValueError,
    without the key in its text.
    """
    text = pasted_text(text)
    digits = _NOT_DIGITS.sub("", text)
    if len(digits) == 2 * _LONGEST_KEY:
        try:
            return OpticalKey(bytes.fromhex(digits))
        except ValueError:
            raise ValueError(
                "A key this long must consist of hex digits only"
            ) from None
    if not 0 < len(text) <= _LONGEST_KEY:
        raise ValueError(
            f"A key has up to {_LONGEST_KEY} characters, or {2 * _LONGEST_KEY} hex digits"
        )
    if not (text.isascii() and text.isprintable()):
        raise ValueError("A key consists of printable ASCII characters")
    return OpticalKey(text.encode("ascii"))
