"""Reading ET42: where energy registers start again."""

from .errors import RefusalError
from .link import Link
from .registers import RegisterMap
from .tables.interface import (
    LENGTH_FIELD,
    decode_interface_definition,
    decode_interface_definition_length,
)
from .tables.names import parse_table

_ET42 = parse_table("ET42")
_WH_PER_KWH = 1000


async def read_energy_limit(link: Link, facts: RegisterMap) -> float | None:
    """Return the kWh (kvarh, kVAh) at which energy registers start again at 0.

    None where the meter does not say. Raises MeterError.
    """
    try:
        length = decode_interface_definition_length(
            await link.read(_ET42, 0, LENGTH_FIELD)
        )
        definition = decode_interface_definition(await link.read(_ET42, 0, length))
    except RefusalError:
        return None
    if definition.rollover_digits is None:
        return None
    # The guide says "in Wh", and also that a larger unit delays the rollover.
    limit: int = 10**definition.rollover_digits * facts.energy_unit
    return limit / _WH_PER_KWH
