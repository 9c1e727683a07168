"""The control relays: what BT03 says of them, and switching at a random time (ET54)."""

from collections.abc import Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass

from .alarms import ALARMS, Bit

OPEN: Mapping[int, Bit] = {
    number: (alarm.byte, alarm.bit)
    for number in (1, 2)
    if (alarm := ALARMS[f"control_relay_{number}_open"])
}
"""Byte and bit of BT03 that say that a relay is open (Optical Guide, pages 46, 47)."""


@dataclass(frozen=True, slots=True)
class Switching:
    """An operation of a relay at a random time; due is by the meter's clock, in s.

    total is how long it waits in all.
    """

    number: int
    opens: bool
    due: int
    total: int

    def pending(self, time: int) -> bool:
        """Tell whether it is still to come."""
        return time < self.due

    def remaining(self, time: int) -> int:
        """Return the seconds until it happens, 0 afterwards."""
        return max(0, self.due - time)


def settled(
    alarms: AbstractSet[Bit], operations: Iterable[Switching], time: int
) -> set[Bit]:
    """Return the bits of BT03 after the operations that were due by a time."""
    bits = set(alarms)
    for operation in operations:
        if not operation.pending(time):
            (bits.add if operation.opens else bits.discard)(OPEN[operation.number])
    return bits
