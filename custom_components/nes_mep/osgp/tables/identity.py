"""Who the meter is: BT01, ET03 and ET04."""

from dataclasses import dataclass
from typing import Final

from ..errors import DecodeError
from .fields import TableData

GENERAL_LENGTH = 16
SERIAL_NUMBER_LENGTH = 30
INTERFACE_VERSION_OFFSET = 116
SYSTEM_LENGTH = INTERFACE_VERSION_OFFSET + 1
"""Bytes of ET04 that are used, up to the interface version."""
TRANSCEIVER_ID_OFFSET = 4
TRANSCEIVER_ID_LENGTH = 6
OUTAGE_RECORDS_COUNT_OFFSET = 53
PHASES_OFFSET = 62

_PHASES = (1, 2, 3)
_SEPARATE_CURRENT_BIT = 3
_CURRENT_BITS = 4


@dataclass(frozen=True, slots=True)
class GeneralInformation:
    """BT01: manufacturer, model and firmware version, as x.yy.zz."""

    manufacturer: str
    model: str
    firmware: str
    firmware_version: tuple[int, int, int]


def decode_general_information(data: bytes) -> GeneralInformation:
    """Decode BT01, 16 bytes."""
    table = TableData("BT01", data)
    version = decode_firmware_version(table.raw(14, 2))
    return GeneralInformation(
        manufacturer=table.text(0, 4),
        model=table.text(4, 8),
        firmware=firmware_text(version),
        firmware_version=version,
    )


def decode_firmware_version(data: bytes) -> tuple[int, int, int]:
    """Decode two bytes, high byte first: 4 bits major, 7 bits minor, 5 bits build."""
    version = int.from_bytes(data)
    return version >> 12, version >> 5 & 0x7F, version & 0x1F


def firmware_text(version: tuple[int, int, int]) -> str:
    """Return a firmware version as x.yy.zz."""
    major, minor, build = version
    return f"{major}.{minor:02d}.{build:02d}"


def decode_serial_number(data: bytes) -> str:
    """Decode the utility serial number of ET03, 30 bytes; it can be empty."""
    return TableData("ET03", data).text(0, SERIAL_NUMBER_LENGTH)


@dataclass(frozen=True, slots=True)
class SystemInformation:
    """The useful fields of ET04.

    transceiver_id and program_id are hex digits. phases holds the numbers, 1 to 3,
    of the phases that the meter measures. maximum_current is in A, rated_voltage
    in V, rated_frequency in Hz, starting_current in mA.
    """

    transceiver_id: str
    program_id: str
    self_identification: str
    rated_frequency: int
    starting_current: int
    maximum_current: int
    rated_voltage: int
    phases: tuple[int, ...]
    interface_version: int


def decode_system_information(data: bytes) -> SystemInformation:
    """Decode the first 117 bytes of ET04."""
    table = TableData("ET04", data)
    return SystemInformation(
        transceiver_id=table.raw(4, 6).hex(),
        program_id=table.raw(14, 8).hex(),
        self_identification=table.text(22, 30),
        rated_frequency=table.uint(13),
        starting_current=table.uint(56, 2),
        maximum_current=table.uint(58, 2),
        rated_voltage=table.uint(60, 2),
        phases=_present(table.uint(PHASES_OFFSET)),
        interface_version=table.uint(INTERFACE_VERSION_OFFSET),
    )


@dataclass(frozen=True, slots=True)
class Phases:
    """ET04.62: the numbers, 1 to 3, of the phases whose voltage and current there is."""

    voltage: tuple[int, ...] = _PHASES
    current: tuple[int, ...] = _PHASES


ALL_PHASES: Final = Phases()
SINGLE_PHASE: Final = Phases((1,), (1,))


def decode_phases(data: bytes) -> Phases:
    """Decode the phases of the meter: one byte of ET04, at 62.

    A meter that is said to have none has all, for it does measure something.
    """
    flags = TableData("ET04", data, PHASES_OFFSET).uint(PHASES_OFFSET)
    voltage = _present(flags)
    current = (
        _present(flags >> _CURRENT_BITS)
        if flags >> _SEPARATE_CURRENT_BIT & 1
        else voltage
    )
    return Phases(voltage or _PHASES, current or _PHASES)


def _present(missing: int) -> tuple[int, ...]:
    """Return the phases whose bits are not set; L1 has the lowest."""
    return tuple(phase for phase in _PHASES if not missing >> phase - 1 & 1)


def decode_interface_version(data: bytes) -> int:
    """Decode the version of the meter's dimensions: one byte of ET04, at 116."""
    return TableData("ET04", data, INTERFACE_VERSION_OFFSET).uint(
        INTERFACE_VERSION_OFFSET
    )


def decode_outage_records_count(data: bytes) -> int:
    """Decode how many outage records ET09 has: one byte of ET04, at 53."""
    return TableData("ET04", data, OUTAGE_RECORDS_COUNT_OFFSET).uint(
        OUTAGE_RECORDS_COUNT_OFFSET
    )


def decode_transceiver_id(data: bytes) -> str:
    """Decode the transceiver id of ET04, 6 bytes from offset 4 on, as hex digits.

    Raises DecodeError, also if it is not set.
    """
    place = (TRANSCEIVER_ID_OFFSET, TRANSCEIVER_ID_LENGTH)
    identifier = TableData("ET04", data, TRANSCEIVER_ID_OFFSET).raw(*place)
    if not any(identifier):
        raise DecodeError("ET04", *place, "the meter has no transceiver id")
    return identifier.hex()
