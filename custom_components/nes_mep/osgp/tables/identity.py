"""Who the meter is: BT01, ET03 and ET04."""

from dataclasses import dataclass

from ..errors import DecodeError
from .fields import TableData

GENERAL_LENGTH = 16
SERIAL_NUMBER_LENGTH = 30
SYSTEM_LENGTH = 117
"""Bytes of ET04 that are used, up to the interface version (offset 116)."""


@dataclass(frozen=True, slots=True)
class GeneralInformation:
    """BT01: manufacturer, model and firmware version, as x.yy.zz."""

    manufacturer: str
    model: str
    firmware: str
    firmware_version: tuple[int, int, int]


def decode_general_information(data: bytes) -> GeneralInformation:
    """Decode BT01, 16 bytes.

    The firmware version has its high byte first: 4 bits major, 7 bits minor and
    5 bits build number.
    """
    table = TableData("BT01", data)
    version = int.from_bytes(table.raw(14, 2))
    major, minor, build = version >> 12, version >> 5 & 0x7F, version & 0x1F
    return GeneralInformation(
        manufacturer=table.text(0, 4),
        model=table.text(4, 8),
        firmware=f"{major}.{minor:02d}.{build:02d}",
        firmware_version=(major, minor, build),
    )


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
        phases=tuple(phase for phase in (1, 2, 3) if not table.bit(62, phase - 1)),
        interface_version=table.uint(116),
    )


def decode_transceiver_id(data: bytes) -> str:
    """Decode the transceiver id of ET04, 6 bytes from offset 4 on, as hex digits.

    Raises DecodeError, also if it is not set.
    """
    identifier = TableData("ET04", data, start=4).raw(4, 6)
    if not any(identifier):
        raise DecodeError("ET04", 4, 6, "the meter has no transceiver id")
    return identifier.hex()
