"""The first reads: who a meter is."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Final

from .errors import DecodeError, RefusalError
from .link import Link
from .refusals import is_absent, is_out_of_reach
from .tables.dimensions import (
    DIMENSIONS_LENGTH,
    RegisterDimensions,
    decode_fixed_dimensions,
    decode_register_dimensions,
)
from .tables.identity import (
    ALL_PHASES,
    GENERAL_LENGTH,
    INTERFACE_VERSION_OFFSET,
    PHASES_OFFSET,
    SERIAL_NUMBER_LENGTH,
    SINGLE_PHASE,
    TRANSCEIVER_ID_LENGTH,
    TRANSCEIVER_ID_OFFSET,
    Phases,
    decode_general_information,
    decode_interface_version,
    decode_phases,
    decode_serial_number,
    decode_transceiver_id,
)
from .tables.logs import (
    LogDimensions,
    decode_log_count,
    decode_log_dimensions,
    log_dimensions_length,
)
from .tables.names import parse_table
from .tables.status import (
    CONNECTION_OFFSET,
    HARDWARE_LENGTH,
    Hardware,
    decode_hardware,
    decode_is_single_phase,
)

_BT01 = parse_table("BT01")
_BT20 = parse_table("BT20")
_BT21 = parse_table("BT21")
_ET03 = parse_table("ET03")
_ET04 = parse_table("ET04")
_ET29 = parse_table("ET29")
_ET36 = parse_table("ET36")

_FIRST_METER_MAJOR: Final = 2
_METER_3_70: Final = (3, 70, 0)
_MODULE_1_20: Final = (1, 20, 0)

_ERASED: Final = "\\xff" * SERIAL_NUMBER_LENGTH
"""The number in a table that was never written: all meters without one share it."""

_PATIENCE: Final = (1.0, 2.0)
"""Seconds before an indispensable read is repeated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterIdentity:
    """Who the meter is.

    serial_number is the grid company's number of the meter (ET03), or the transceiver
    id in hex if there is none; if the meter is known by one of its numbers already, it
    is that one. firmware is x.yy.zz, and firmware_version the same as numbers.
    """

    serial_number: str
    manufacturer: str
    model: str
    firmware: str
    firmware_version: tuple[int, int, int]

    @property
    def is_meter(self) -> bool:
        """Whether it is a meter. Control point modules have firmware of their own."""
        return self.firmware_version[0] >= _FIRST_METER_MAJOR

    @property
    def is_like_3_70(self) -> bool:
        """Whether it has what meters have since 3.70: modules have it since 1.20."""
        return self.firmware_version >= (_METER_3_70 if self.is_meter else _MODULE_1_20)


async def read_identity(link: Link, known_as: Collection[str] = ()) -> MeterIdentity:
    """Read who the meter is: ET03 and BT01; known_as as in read_serial_number.

    Raises MeterError.
    """
    serial_number = await read_serial_number(link, known_as)
    general = decode_general_information(
        await patiently(link, lambda: link.read(_BT01, 0, GENERAL_LENGTH))
    )
    return MeterIdentity(
        serial_number=serial_number,
        manufacturer=general.manufacturer,
        model=general.model,
        firmware=general.firmware,
        firmware_version=general.firmware_version,
    )


async def read_serial_number(link: Link, known_as: Collection[str] = ()) -> str:
    """Read MeterIdentity.serial_number.

    known_as are the number by which the meter is known and others that are its own,
    the transceiver id among them if it was ever read: a meter whose ET03 is filled or
    locked later keeps its number. Raises MeterError, also while the meter does not say
    whether it has a number in ET03.
    """
    number = await _read_utility_number(link)
    if number == _ERASED and not known_as:
        number = ""
    if number and (not known_as or number in known_as):
        return _known(number, known_as)
    try:
        transceiver = decode_transceiver_id(
            await patiently(
                link,
                lambda: link.read(_ET04, TRANSCEIVER_ID_OFFSET, TRANSCEIVER_ID_LENGTH),
            )
        )
    except (RefusalError, DecodeError) as err:
        if not number or (isinstance(err, RefusalError) and not is_out_of_reach(err)):
            raise
        return number
    if transceiver in known_as:
        return _known(transceiver, known_as)
    return number or transceiver


def _known(number: str, known_as: Collection[str]) -> str:
    """Return the number by which a meter with one of these numbers is known."""
    return next(iter(known_as), number)


async def _read_utility_number(link: Link) -> str:
    """Read ET03; return nothing if it is empty or out of reach."""
    try:
        return decode_serial_number(
            await patiently(link, lambda: link.read(_ET03, 0, SERIAL_NUMBER_LENGTH))
        )
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        return ""


async def patiently[T](link: Link, ask: Callable[[], Awaitable[T]]) -> T:
    """Repeat, a few times, what the meter refuses only for now. Raises MeterError."""
    for pause in _PATIENCE:
        try:
            return await ask()
        except RefusalError as err:
            if is_out_of_reach(err):
                raise
            await link.clock.sleep(pause)
    return await ask()


async def read_interface_version(link: Link) -> int:
    """Read ET04.116, which changes whenever the dimensions do. Raises MeterError."""
    return decode_interface_version(await link.read(_ET04, INTERFACE_VERSION_OFFSET, 1))


async def read_hardware(link: Link) -> Hardware:
    """Read ET29: what is built into the meter. Raises MeterError."""
    return decode_hardware(await link.read(_ET29, 0, HARDWARE_LENGTH))


async def read_register_dimensions(link: Link) -> RegisterDimensions:
    """Read BT21; firmware without it has the maxima of BT20. Raises MeterError."""
    try:
        data = await link.read(_BT21, 0, DIMENSIONS_LENGTH)
    except RefusalError as err:
        if not is_absent(err):
            raise
        return decode_fixed_dimensions(await link.read(_BT20, 0, DIMENSIONS_LENGTH))
    return decode_register_dimensions(data)


async def read_phases(link: Link) -> Phases:
    """Return the phases that the meter measures (ET04, ET29). Raises MeterError.

    A single-phase meter has one, also if none is set as absent.
    """
    try:
        phases = decode_phases(await link.read(_ET04, PHASES_OFFSET, 1))
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        phases = ALL_PHASES
    if phases != ALL_PHASES:
        return phases
    try:
        connection = await link.read(_ET29, CONNECTION_OFFSET, 1)
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        return phases
    return SINGLE_PHASE if decode_is_single_phase(connection) else phases


async def read_log_dimensions(link: Link) -> dict[str, LogDimensions]:
    """Read ET36: the dimensions of the logs, by table name. Raises MeterError."""
    count = decode_log_count(await link.read(_ET36, 0, 1))
    return decode_log_dimensions(
        await link.read(_ET36, 0, log_dimensions_length(count))
    )
