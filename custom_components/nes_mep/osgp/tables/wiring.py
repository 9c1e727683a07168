"""How the meter is wired, as it finds it: ET04 and ET54."""

from dataclasses import dataclass

from .fields import TableData
from .identity import PHASES_OFFSET, decode_phases

WIRING_OFFSET = PHASES_OFFSET
WIRING_LENGTH = 12
"""The part of ET04 from the absent phases to the rotation."""
_PHASES = (1, 2, 3)
_ROTATION_OFFSET = 73
_ROTATIONS = ("l1_l2_l3", "l3_l2_l1", None)

MISWIRING_OFFSET = 68
"""Where ET54 has the reason of a wrong wiring, one byte."""
_MISWIRINGS = {0: "none", 1: "low_voltage", 2: "high_voltage", 4: "same_phase"}


@dataclass(frozen=True, slots=True)
class Wiring:
    """The phases of ET04.62 that have no voltage, and the rotation of ET04.73.

    rotation is "l1_l2_l3" or "l3_l2_l1", None while the meter does not know it.
    """

    absent: tuple[int, ...]
    rotation: str | None


def decode_wiring(data: bytes) -> Wiring:
    """Decode 12 bytes of ET04 from 62 on. Raises DecodeError."""
    table = TableData("ET04", data, WIRING_OFFSET)
    rotation = _ROTATIONS[table.limited(_ROTATION_OFFSET, len(_ROTATIONS) - 1)]
    present = decode_phases(table.raw(PHASES_OFFSET, 1)).voltage
    return Wiring(tuple(n for n in _PHASES if n not in present), rotation)


def decode_miswiring(data: bytes) -> str | None:
    """Decode one byte of ET54, at 68: "none", or why the meter finds its wiring wrong.

    None for a reason that the guide does not have.
    """
    table = TableData("ET54", data, MISWIRING_OFFSET)
    return _MISWIRINGS.get(table.uint(MISWIRING_OFFSET))
