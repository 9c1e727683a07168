"""Reading the tables that a maintainer needs who does not have the meter."""

import logging

from ..errors import RefusalError
from ..mbus.tables import DEVICE_DIMENSIONS_LENGTH
from ..meter import Meter
from ..tables.dimensions import DIMENSIONS_LENGTH
from ..tables.identity import SYSTEM_LENGTH
from ..tables.interface import LENGTH_FIELD, decode_interface_definition_length
from ..tables.layout import CURRENT_REGISTERS, PRESENT_REGISTERS
from ..tables.names import parse_table
from ..tables.status import HARDWARE_LENGTH

_LOGGER = logging.getLogger(__name__)

_ET42 = parse_table("ET42")

_PARTS: tuple[tuple[str, int | None], ...] = (
    ("BT00", None),
    ("BT20", DIMENSIONS_LENGTH),
    ("ET04", SYSTEM_LENGTH),
    ("ET11", DEVICE_DIMENSIONS_LENGTH),
    ("ET29", HARDWARE_LENGTH),
    ("ET54", 72),
)
"""Tables that say what the meter is and has, and how many bytes of each are useful."""


async def survey(meter: Meter) -> None:
    """Read all registers, and the tables with their layout, into the meter's trace.

    What the meter refuses is left out. Raises every other MeterError.
    """
    for table in (CURRENT_REGISTERS, PRESENT_REGISTERS):
        await _read(meter, table, meter.register_map.length(table))
    for name, length in _PARTS:
        await _read(meter, parse_table(name), length)
    if size := await _read(meter, _ET42, LENGTH_FIELD):
        await _read(meter, _ET42, decode_interface_definition_length(size))


async def _read(meter: Meter, table: int, length: int | None) -> bytes:
    """Return the beginning of a table, or all of it; nothing if the meter refuses."""
    try:
        return await meter.read_table(table, 0, length)
    except RefusalError as err:
        _LOGGER.debug("The survey leaves out a table: %s", err)
        return b""
