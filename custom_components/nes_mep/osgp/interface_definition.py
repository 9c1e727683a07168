"""Reading ET42: the unit of energy registers, and where they start again."""

from .errors import RefusalError
from .link import Link
from .refusals import is_out_of_reach
from .tables.interface import (
    LENGTH_FIELD,
    InterfaceDefinition,
    decode_interface_definition,
    decode_interface_definition_length,
)
from .tables.names import parse_table

_ET42 = parse_table("ET42")
_WH_PER_KWH = 1000


async def read_interface_definition(link: Link) -> InterfaceDefinition:
    """Read ET42. Raises MeterError."""
    length = decode_interface_definition_length(await link.read(_ET42, 0, LENGTH_FIELD))
    return decode_interface_definition(await link.read(_ET42, 0, length))


async def read_energy_limit(link: Link, energy_unit: int) -> float | None:
    """Return the kWh (kvarh, kVAh) at which energy registers start again at 0.

    None where the meter does not say. Raises MeterError.
    """
    try:
        definition = await read_interface_definition(link)
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        return None
    if definition.rollover_digits is None:
        return None
    # The guide says "in Wh", and also that a larger unit delays the rollover.
    limit: int = 10**definition.rollover_digits * energy_unit
    return limit / _WH_PER_KWH
