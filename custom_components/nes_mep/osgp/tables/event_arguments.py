"""What the arguments of events say: decoders for the kinds of arguments there are.

A decoder takes the argument as a number (UINT16) and never fails: a code that is not
known stays a number, and what the meter does not tell is left out.
"""

from collections.abc import Callable, Mapping

from .identity import decode_firmware_version, firmware_text
from .names import procedure_name, table_name

type EventDetail = bool | int | str | tuple[str, ...] | tuple[int, ...]
type EventDetails = Mapping[str, EventDetail]
"""What an argument says, by name.

Tariffs, seasons and schedules count from 1; phases are L1 to L3; voltages are in V,
powers in W and durations in seconds.
"""
type ArgumentDecoder = Callable[[int], EventDetails]

_PENDING = 4096
"""A pending table has the id of the table that it will replace, plus this."""
_FIRST_EXCEPTION = 100

_COMMANDS = {
    10: "set_clock",
    2050: "switch_disconnect_or_relay",
    2051: "clear_alarms",
    2064: "adjust_clock",
    2069: "set_prepay_credit",
    2070: "set_power_limit",
    2082: "reset_demand",
}
_CHANGE_DIMENSIONS = 2054
_POSITIONS = {1: "closed", 2: "open", 3: "locked_open"}
_PARTS_OF_MEMORY = {0xFFFF: "all_tables", 0xFFFE: "boot_rom", 0xFFFD: "boot_rom"}
_LOWEST_VOLTAGE, _VOLTAGE_STEP = 175, 5


def nothing(_: int) -> EventDetails:
    """Decode an argument that is not used."""
    return {}


def choice(
    name: str, codes: Mapping[int, EventDetail], *, exceptions: bool = False
) -> ArgumentDecoder:
    """Return a decoder of a code; with exceptions, those from 100 on are exceptions."""

    def decode(value: int) -> EventDetails:
        if exceptions and value >= _FIRST_EXCEPTION:
            return {name: "exception", "exception": value}
        return {name: codes.get(value, value)} if value or value in codes else {}

    return decode


def number(name: str, first: int = 0) -> ArgumentDecoder:
    """Return a decoder of a number; first is what 0 stands for."""
    return lambda value: {name: value + first}


def flags(name: str, masks: Mapping[int, str]) -> ArgumentDecoder:
    """Return a decoder of the texts of those masks that have a bit in the argument."""

    def decode(value: int) -> EventDetails:
        found = tuple(text for mask, text in masks.items() if value & mask)
        return {name: found} if found else {}

    return decode


def phases(name: str = "phases", first_bit: int = 0) -> ArgumentDecoder:
    """Return a decoder of three bits, one for each phase."""
    return flags(name, {1 << first_bit + n: f"L{n + 1}" for n in range(3)})


def together(*decoders: ArgumentDecoder) -> ArgumentDecoder:
    """Return a decoder of all that some decoders find."""
    return lambda value: {
        name: detail for each in decoders for name, detail in each(value).items()
    }


def bits(first: int, count: int, decode: ArgumentDecoder) -> ArgumentDecoder:
    """Return a decoder of some of the bits."""
    return lambda value: decode(value >> first & (1 << count) - 1)


def table(value: int) -> EventDetails:
    """Decode the id of a table: BT54."""
    return {"table": table_name(value)}


def pending_table(value: int) -> EventDetails:
    """Decode the id of a pending table, as that of the table that it replaces."""
    return table(value & ~_PENDING)


def procedure(value: int) -> EventDetails:
    """Decode the number of a procedure: EP02; command says what it does, if known."""
    command = {"command": _COMMANDS[value]} if value in _COMMANDS else {}
    return {"procedure": procedure_name(value), **command}


def interface_change(value: int) -> EventDetails:
    """Decode what changed the dimensions of the tables: a cause, or a procedure."""
    causes = {0: "first_load", 2: "commissioning", 3: "table_write"}
    if value in causes:
        return {"cause": causes[value]}
    return procedure(_CHANGE_DIMENSIONS if value == 1 else value)


def firmware(value: int) -> EventDetails:
    """Decode a firmware version, which has the high byte first, as BT01 has it."""
    version = decode_firmware_version(value.to_bytes(2, "little"))
    return {"firmware": firmware_text(version)}


def clock_change(value: int) -> EventDetails:
    """Decode over how many seconds the clock changes; not at all if it is set."""
    return {"seconds": value} if value else {}


def memory_check(value: int) -> EventDetails:
    """Decode which part of the memory failed, and which check found that."""
    if value in _PARTS_OF_MEMORY:
        return {"part": _PARTS_OF_MEMORY[value]}
    checks = {2: "before_writing", 1: "after_writing", 0: "background"}
    return {**table(value & 0x3FFF), "check": checks.get(value >> 14, value >> 14)}


def disconnect_error(value: int) -> EventDetails:
    """Decode how the contact of the load disconnect differs from what was commanded."""
    if value & 1:
        steps = [value >> first & 0xF for first in (4, 8, 12)]
        return {
            **bits(1, 2, choice("commanded", _POSITIONS))(value),
            "contact": "closed" if value & 8 else "open",
            "voltages": tuple(_LOWEST_VOLTAGE + _VOLTAGE_STEP * n for n in steps),
        }
    if value & 7 == 4:
        return {
            **bits(3, 2, choice("commanded", _POSITIONS))(value),
            "contact": "closed" if value & 0x20 else "open",
            "load_side_voltage": bool(value & 0x40),
            "power": value >> 7,
        }
    return {}


def disconnect_change(value: int) -> EventDetails:
    """Decode what the load disconnect did, and why."""
    details = {
        **bits(0, 4, choice("change", {1: "closed", 2: "opened", 3: "locked"}))(value),
        **bits(8, 8, choice("cause", _DISCONNECT_CAUSES))(value),
    }
    return {**details, "failed": True} if value & 0x10 else details


_DISCONNECT_CAUSES = {
    1: "command",
    2: "maximum_power",
    3: "prepay_credit",
    4: "prepay_power",
    5: "prepay_command",
    6: "by_hand",
    7: "schedule",
    8: "power_limit_command",
    9: "resynchronization",
    10: "power_up",
}


def load_side_voltage(value: int) -> EventDetails:
    """Decode on which phases there is voltage behind an open load disconnect."""
    kinds = {0: "unknown", 1: "phase_unknown", 3: "changing", 4: "out_of_range"}
    kind = value & 7
    if kind == 2:
        return phases(first_bit=3)(value)
    return {"voltage_state": kinds.get(kind, kind)}


def phase_value(name: str) -> ArgumentDecoder:
    """Return a decoder of a phase, in the two lowest bits, and a value of it."""

    def decode(value: int) -> EventDetails:
        phase = value & 3
        return {
            **({"phase": f"L{phase + 1}"} if phase < 3 else {}),
            name: value >> 2,
        }

    return decode


def of_device(decode: ArgumentDecoder) -> ArgumentDecoder:
    """Return a decoder of a device in the three highest bits, and of the others."""
    devices = {n: f"M-Bus {n}" for n in range(1, 5)} | {5: "MEP"}
    return together(bits(13, 3, choice("device", devices)), bits(0, 13, decode))
