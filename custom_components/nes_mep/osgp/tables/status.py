"""The state of the meter: alarms (BT03), load disconnect (ET23), hardware (ET29)."""

from collections.abc import Mapping
from dataclasses import dataclass

from .fields import TableData

MODE_STATUS_FIXED_LENGTH = 4
"""Length of BT03 without its manufacturer status, whose length is BT00.17."""
MANUFACTURER_STATUS_LENGTH_OFFSET = 17

DISCONNECT_OFFSET = 94
"""Where ET23 has the state of the load disconnect, one byte."""
HARDWARE_LENGTH = 3

_ALARM_BITS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "clock_error": ((1, 6),),
    "memory_failure": ((1, 3), (1, 4), (1, 5), (5, 5)),
    "measurement_error": ((1, 7),),
    "low_battery": ((2, 0),),
    "power_failure": ((2, 3),),
    "cover_removed": ((2, 4),),
    "reverse_energy": ((2, 5),),
    "neutral_fault": ((3, 3),),
    "phase_loss": ((4, 4),),
    "phase_inversion": ((4, 5),),
    "unused_phase_current": ((5, 2),),
    "magnetic_tamper": ((7, 1),),
    "power_quality": ((7, 3),),
    "unbalanced_voltage": ((8, 0),),
}
"""Byte and bit of the alarms that concern an owner; any of several raises one."""

_DISCONNECT_STATES = ("closed", "closing", "open", "opening")


def decode_mode_status_length(data: bytes) -> int:
    """Decode the length of BT03: one byte of BT00, at 17, is that of its second part."""
    offset = MANUFACTURER_STATUS_LENGTH_OFFSET
    return MODE_STATUS_FIXED_LENGTH + TableData("BT00", data, offset).uint(offset)


def decode_alarms(data: bytes) -> dict[str, bool]:
    """Decode the alarms of BT03 that concern an owner, by name.

    Shorter tables of older firmware have fewer.
    """
    table = TableData("BT03", data)
    table.raw(0, MODE_STATUS_FIXED_LENGTH)
    return {
        name: any(table.bit(byte, bit) for byte, bit in bits)
        for name, bits in _ALARM_BITS.items()
        if all(byte < len(data) for byte, _ in bits)
    }


def decode_disconnect_state(data: bytes) -> str:
    """Decode ET23.94: closed, closing, open or opening, as it was commanded."""
    table = TableData("ET23", data, start=DISCONNECT_OFFSET)
    state = table.uint(DISCONNECT_OFFSET)
    if state >= len(_DISCONNECT_STATES):
        raise table.error(DISCONNECT_OFFSET, 1, f"{state} is not a disconnect state")
    return _DISCONNECT_STATES[state]


@dataclass(frozen=True, slots=True)
class Hardware:
    """The options of ET29 that matter to a reader.

    has_transformers says whether currents or voltages are measured through external
    transformers.
    """

    has_disconnect: bool
    has_mbus: bool
    has_transformers: bool


def decode_hardware(data: bytes) -> Hardware:
    """Decode the first three bytes of ET29."""
    table = TableData("ET29", data)
    table.raw(0, HARDWARE_LENGTH)
    return Hardware(
        has_disconnect=table.bit(0, 5),
        has_mbus=table.bit(1, 0),
        has_transformers=table.bit(2, 1) or table.bit(2, 4),
    )
