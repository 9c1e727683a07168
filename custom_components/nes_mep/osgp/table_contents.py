"""Decoding the bytes of a table into plain values, as far as they are known."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from .errors import DecodeError
from .mbus.tables import decode_device_dimensions
from .registers import Register, RegisterMap
from .tables.clock import decode_local_clock, decode_utc_clock
from .tables.constants import decode_constants
from .tables.dimensions import (
    decode_present_selection,
    decode_register_dimensions,
    decode_register_selection,
)
from .tables.events import decode_event_log_dimensions
from .tables.fields import TableData
from .tables.identity import (
    decode_general_information,
    decode_serial_number,
    decode_system_information,
)
from .tables.interface import decode_interface_definition
from .tables.load_profile import decode_load_profile_dimensions, decode_source_mapping
from .tables.names import parse_table, table_name
from .tables.status import decode_alarms, decode_hardware

type Plain = bool | int | float | str | list[Plain] | dict[str, Plain] | None
"""The values that JSON has."""

type _Decoder = Callable[[bytes, RegisterMap], object]


def _alone(decode: Callable[[bytes], object]) -> _Decoder:
    """Return the decoder of a table that needs no other table."""
    return lambda data, _: decode(data)


_DECODERS: Final[Mapping[int, _Decoder]] = {
    parse_table(name): decoder
    for name, decoder in {
        "BT01": _alone(decode_general_information),
        "BT03": _alone(decode_alarms),
        "BT15": _alone(decode_constants),
        "BT21": _alone(decode_register_dimensions),
        "BT22": lambda data, facts: decode_register_selection(data, facts.dimensions),
        "BT27": lambda data, facts: decode_present_selection(data, facts.dimensions),
        "BT52": _alone(decode_utc_clock),
        "BT55": _alone(decode_local_clock),
        "BT61": _alone(decode_load_profile_dimensions),
        "BT71": _alone(decode_event_log_dimensions),
        "ET03": lambda data, _: {"serial_number": decode_serial_number(data)},
        "ET04": _alone(decode_system_information),
        "ET11": _alone(decode_device_dimensions),
        "ET29": _alone(decode_hardware),
        "ET42": _alone(decode_interface_definition),
        "ET66": _alone(decode_source_mapping),
    }.items()
}
"""Decoders of tables, from their beginning."""


def table_contents(
    table: int,
    offset: int,
    data: bytes,
    facts: RegisterMap,
    registers: Mapping[str, Register],
) -> Plain:
    """Return what bytes of a table from an offset on mean, None if that is unknown.

    For BT23 and BT28 these are the registers within the bytes, by key, in shown units.
    Other tables are decoded from their beginning, if enough bytes are given.
    """
    part = TableData(table_name(table), data, offset)
    within = [
        register
        for register in registers.values()
        if register.operands is None
        and register.multiplier is not None
        and register.table == table
        and offset <= register.offset
        and register.offset + register.length <= offset + len(data)
    ]
    try:
        if within:
            return _plain({register.key: register.value(part) for register in within})
        if offset == 0 and (decode := _DECODERS.get(table)):
            return _plain(decode(data, facts))
    except DecodeError:
        pass
    return None


def _plain(value: object) -> Plain:
    """Return a value for JSON: bytes in hex, times in ISO 8601, durations in s."""
    plain: Plain
    match value:
        case Enum():
            plain = value.name.lower() if value.name else value.value
        case None | bool() | int() | float() | str():
            plain = value
        case bytes():
            plain = value.hex()
        case datetime():
            plain = value.isoformat()
        case timedelta():
            plain = value.total_seconds()
        case Mapping():
            plain = {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            plain = [_plain(each) for each in value]
        case _ if is_dataclass(value):
            plain = {
                each.name: _plain(getattr(value, each.name)) for each in fields(value)
            }
        case _:
            plain = str(value)
    return plain
