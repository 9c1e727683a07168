"""The meter's state and hardware: alarms, relays, disconnect (BT03, ET23, ET29)."""

from collections.abc import Mapping
from dataclasses import dataclass

from .fields import TableData

MODE_STATUS_FIXED_LENGTH = 4
"""Length of BT03 without its manufacturer status, whose length is BT00.17."""
MANUFACTURER_STATUS_LENGTH_OFFSET = 17

DISCONNECT_OFFSET = 94
"""Where ET23 has the state of the load disconnect, one byte."""
HARDWARE_LENGTH = 3
CONNECTION_OFFSET = 5
"""Where ET29 says whether the meter has one phase or several, one byte."""

_ALARM_BITS: Mapping[str, tuple[tuple[int, int], ...]] = {
    "clock_error": ((1, 6),),
    "memory_failure": ((1, 3), (1, 4), (1, 5), (5, 5)),
    "measurement_error": ((1, 7),),
    "low_battery": ((2, 0),),
    "power_failure": ((2, 3),),
    "cover_removed": ((2, 4),),
    "reverse_energy": ((2, 5),),
    "disconnect_error": ((2, 7),),
    "neutral_fault": ((3, 3),),
    "phase_loss": ((4, 4),),
    "phase_inversion": ((4, 5),),
    "unused_phase_current": ((5, 2),),
    "prepay_exhausted": ((6, 4),),
    "prepay_warning": ((6, 5),),
    "magnetic_tamper": ((7, 1),),
    "power_quality": ((7, 3),),
    "load_side_voltage": ((7, 7),),
    "unbalanced_voltage": ((8, 0),),
}
"""Byte and bit of the alarms that concern an owner; any of several raises one."""

_OF_A_DISCONNECT = frozenset(
    {"disconnect_error", "load_side_voltage", "prepay_exhausted", "prepay_warning"}
)
"""Alarms that say something of a load disconnect, or of what opens it."""
_SINCE: Mapping[str, tuple[int, int]] = {"load_side_voltage": (3, 30)}
"""Firmware that brought an alarm in a byte that was there before."""

_OPEN_RELAY_BITS: Mapping[int, tuple[int, int]] = {1: (4, 3), 2: (9, 0)}
_SECOND_RELAY_SINCE = (4, 30)

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


def decode_open_relays(data: bytes) -> dict[int, bool]:
    """Decode from BT03 whether the control relays are open, by their number.

    Shorter tables of older firmware have the first only. A relay that the meter lacks
    (ET29) reads as closed.
    """
    table = TableData("BT03", data)
    return {
        number: table.bit(byte, bit)
        for number, (byte, bit) in _OPEN_RELAY_BITS.items()
        if byte < len(data)
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

    has_disconnect: bool = False
    has_mbus: bool = False
    has_transformers: bool = False
    has_first_relay: bool = False
    has_second_relay: bool = False

    def relays(self, firmware: tuple[int, ...]) -> tuple[int, ...]:
        """Return the numbers of the control relays of a meter of this firmware."""
        second = self.has_second_relay and firmware >= _SECOND_RELAY_SINCE
        return (1,) * self.has_first_relay + (2,) * second

    def has_alarm(self, name: str, firmware: tuple[int, ...]) -> bool:
        """Return whether an alarm concerns a meter of this firmware."""
        return firmware >= _SINCE.get(name, (0, 0)) and (
            self.has_disconnect or name not in _OF_A_DISCONNECT
        )


def decode_hardware(data: bytes) -> Hardware:
    """Decode the first three bytes of ET29."""
    table = TableData("ET29", data)
    table.raw(0, HARDWARE_LENGTH)
    return Hardware(
        has_disconnect=table.bit(0, 5),
        has_mbus=table.bit(1, 0),
        has_transformers=table.bit(2, 1) or table.bit(2, 4),
        has_first_relay=table.bit(0, 6),
        has_second_relay=table.bit(0, 7),
    )


def decode_has_mep(data: bytes) -> bool:
    """Decode from the first three bytes of ET29 whether a MEP is enabled, or a second."""
    table = TableData("ET29", data)
    return table.bit(1, 2) or table.bit(2, 7)


def decode_is_single_phase(data: bytes) -> bool:
    """Decode one byte of ET29, at 5: bit 0 is set for one phase, bit 1 for several."""
    table = TableData("ET29", data, CONNECTION_OFFSET)
    return table.bit(CONNECTION_OFFSET, 0) and not table.bit(CONNECTION_OFFSET, 1)
