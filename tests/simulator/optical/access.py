"""Who may read what (Optical Port Programmer's Guide, page 13, and each table there)."""

from dataclasses import dataclass, field
from enum import IntEnum

from ..names import EXTENDED
from .codes import PASSWORD_LENGTH

PENDING = 0x1000  # a table number with it means the table's pending contents


class Right(IntEnum):
    """What a client has shown to have, the lowest first."""

    NONE = 0
    READ_ONLY = 1  # RK
    PROVISIONING = 2  # PK
    UNIQUE = 3  # MK


def _extended(*numbers: int) -> frozenset[int]:
    return frozenset(EXTENDED + number for number in numbers)


OPEN = frozenset({0, 1}) | _extended(3)  # pages 18, 19 and 48
LISTED = (  # for the read-only key, pages 19 to 63
    frozenset({3, 15, 20, 21, 22, 23, 24, 25, 26, 27, 28, 30, 33, 60, 61, 62, 63, 64})
    | frozenset({65, 66, 67, 70, 71, 74})
    | _extended(2, 7, 11, 14, 15, 16, 30, 31, 36, 42, 45, 46, 47, 50, 52, 53, 55, 57)
    | _extended(58, 59, 62, 66, 67, 70, 71, 74, 75, 77, 79, 80, 81, 85, 90)
    | _extended(*range(92, 99))
)
CLOSED = frozenset({4}) | _extended(21, 51)  # pages 11, 14 and 38


def needed(table: int, *, unlisted: Right = Right.READ_ONLY) -> Right:
    """Return the least right that reads a table; its pending contents are as open.

    ``unlisted`` is that of the tables for which the guide prints no read access.
    """
    table &= ~PENDING
    if table in OPEN:
        return Right.NONE
    if table in CLOSED:
        return Right.PROVISIONING
    return Right.READ_ONLY if table in LISTED else unlisted


@dataclass(slots=True)
class Keys:
    """The passwords of a meter, and how often a wrong one was tried.

    ``refused`` is how many keys were refused in the meter's life, ``in_a_row`` how many
    since the last right one. PK may be None: it can be disabled.
    """

    unique: bytes = field(repr=False)
    provisioning: bytes | None = field(repr=False)
    read_only: bytes = field(repr=False)
    refused: int = 0
    in_a_row: int = 0

    def try_password(self, password: bytes) -> Right:
        """Return what a password of 20 bytes opens, and count one that opens nothing."""
        keys = (
            (Right.UNIQUE, self.unique),
            (Right.PROVISIONING, self.provisioning),
            (Right.READ_ONLY, self.read_only),
        )
        for right, key in keys:
            if key is not None and password == key.ljust(PASSWORD_LENGTH, b"\0"):
                self.in_a_row = 0
                return right
        self.refused += 1
        self.in_a_row += 1
        return Right.NONE
