"""The first reads: who a meter is and where its registers are."""

from collections.abc import Callable
from dataclasses import dataclass
import logging

from .errors import DecodeError, RefusalError
from .link import Link
from .registers import RegisterMap
from .tables.constants import (
    CONSTANTS_LENGTH,
    NO_TRANSFORMERS,
    Constants,
    decode_constants,
    decode_energy_unit,
    energy_unit_offset,
)
from .tables.dimensions import (
    DIMENSIONS_LENGTH,
    RegisterDimensions,
    decode_present_selection,
    decode_register_dimensions,
    decode_register_selection,
    default_present_selection,
    default_register_selection,
)
from .tables.identity import (
    GENERAL_LENGTH,
    SERIAL_NUMBER_LENGTH,
    decode_general_information,
    decode_serial_number,
    decode_transceiver_id,
)
from .tables.logs import LogDimensions, decode_log_dimensions, log_dimensions_length
from .tables.names import parse_table

_LOGGER = logging.getLogger(__name__)

_BT01 = parse_table("BT01")
_BT15 = parse_table("BT15")
_BT20 = parse_table("BT20")
_BT21 = parse_table("BT21")
_BT22 = parse_table("BT22")
_BT27 = parse_table("BT27")
_ET03 = parse_table("ET03")
_ET04 = parse_table("ET04")
_ET36 = parse_table("ET36")
_ET55 = parse_table("ET55")

_TRANSCEIVER_ID_OFFSET = 4
_TRANSCEIVER_ID_LENGTH = 6
_MAXIMUM_TIERS_OFFSET = 7
_INTERFACE_VERSION_OFFSET = 116

_ENERGY_UNITS_SINCE = (3, 70, 0)
"""Firmware that can count energy in other units than 1 Wh (guide, ET55)."""
_MODULE_ENERGY_UNITS_SINCE = (1, 20, 0)
"""The same for control point modules, whose versions start at 1."""
_FIRST_METER_MAJOR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterIdentity:
    """Who the meter is.

    serial_number is the grid company's number of the meter (ET03), or the transceiver
    id in hex if that is empty. firmware is x.yy.zz, and firmware_version the same as
    numbers.
    """

    serial_number: str
    manufacturer: str
    model: str
    firmware: str
    firmware_version: tuple[int, int, int]


async def read_identity(link: Link) -> MeterIdentity:
    """Read who the meter is: ET03 and BT01. Raises MeterError."""
    serial_number = await read_serial_number(link)
    general = decode_general_information(await link.read(_BT01, 0, GENERAL_LENGTH))
    return MeterIdentity(
        serial_number=serial_number,
        manufacturer=general.manufacturer,
        model=general.model,
        firmware=general.firmware,
        firmware_version=general.firmware_version,
    )


async def read_serial_number(link: Link) -> str:
    """Read MeterIdentity.serial_number. Raises MeterError."""
    number = decode_serial_number(await link.read(_ET03, 0, SERIAL_NUMBER_LENGTH))
    if number:
        return number
    return decode_transceiver_id(
        await link.read(_ET04, _TRANSCEIVER_ID_OFFSET, _TRANSCEIVER_ID_LENGTH)
    )


async def read_register_map(link: Link, identity: MeterIdentity) -> RegisterMap:
    """Read how the register tables are laid out: BT21, BT22, BT27, BT15.

    Raises MeterError.
    """
    dimensions = decode_register_dimensions(
        await link.read(_BT21, 0, DIMENSIONS_LENGTH)
    )
    constants = await _read_constants(link)
    return RegisterMap(
        dimensions=dimensions,
        selection=await _read_selection(
            link,
            _BT22,
            dimensions,
            dimensions.selection_length,
            decode_register_selection,
            default_register_selection,
        ),
        present_selection=await _read_selection(
            link,
            _BT27,
            dimensions,
            dimensions.present_selection_length,
            decode_present_selection,
            default_present_selection,
        ),
        constants=constants,
        energy_unit=await _read_energy_unit(link, constants, identity.firmware_version),
        firmware_major=identity.firmware_version[0],
    )


async def read_interface_version(link: Link) -> int:
    """Read ET04.116, which changes whenever the dimensions do. Raises MeterError."""
    version = await link.read(_ET04, _INTERFACE_VERSION_OFFSET, 1)
    return int.from_bytes(version)


async def read_log_dimensions(link: Link) -> dict[str, LogDimensions]:
    """Read ET36: the dimensions of the logs, by table name. Raises MeterError."""
    count = int.from_bytes(await link.read(_ET36, 0, 1))
    return decode_log_dimensions(
        await link.read(_ET36, 0, log_dimensions_length(count))
    )


async def _read_selection[T](
    link: Link,
    table: int,
    dimensions: RegisterDimensions,
    length: int,
    decode: Callable[[bytes, RegisterDimensions], T],
    default: Callable[[RegisterDimensions], T],
) -> T:
    """Read BT22 or BT27, or assume the guide's order if the meter refuses it."""
    try:
        return decode(await link.read(table, 0, length), dimensions)
    except RefusalError as err:
        _LOGGER.warning(
            "%s. The order of registers in the MEP guide is assumed instead", err
        )
        return default(dimensions)


async def _read_constants(link: Link) -> Constants:
    """Read the transformer ratios, BT15; a meter that refuses it has none."""
    try:
        return decode_constants(await link.read(_BT15, 0, CONSTANTS_LENGTH))
    except RefusalError as err:
        _LOGGER.warning("%s. It is taken for a meter without transformers", err)
        return NO_TRANSFORMERS


async def _read_energy_unit(
    link: Link, constants: Constants, firmware: tuple[int, int, int]
) -> int:
    """Return what a count of an energy register stands for: 1, 10 or 100 Wh.

    Only meters with transformers count in other units than 1 Wh.
    """
    since = (
        _ENERGY_UNITS_SINCE
        if firmware[0] >= _FIRST_METER_MAJOR
        else _MODULE_ENERGY_UNITS_SINCE
    )
    if firmware < since or not constants.has_transformers:
        return 1
    try:
        maximum_tiers = await link.read(_BT20, _MAXIMUM_TIERS_OFFSET, 1)
        offset = energy_unit_offset(firmware[0], int.from_bytes(maximum_tiers))
        return decode_energy_unit(await link.read(_ET55, offset, 1), offset)
    except (RefusalError, DecodeError) as err:
        _LOGGER.warning("%s. Energy registers are taken as counts of 1 Wh", err)
        return 1
