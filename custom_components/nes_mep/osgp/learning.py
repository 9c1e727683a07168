"""What decides where a meter's registers are and what they mean.

It is asked again until the meter has answered: a refusal, a silence or an answer that
makes no sense decides nothing, and registers that depend on it have no values until then.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
import logging
from typing import Any, Final

from .discovery import (
    MeterIdentity,
    patiently,
    read_hardware,
    read_phases,
    read_register_dimensions,
)
from .errors import (
    DecodeError,
    MeterError,
    NoReplyError,
    RefusalError,
    UnverifiedReplyError,
)
from .interface_definition import read_interface_definition
from .link import Link
from .refusals import is_absent, is_out_of_reach
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
    MAXIMUM_TIERS_OFFSET,
    PresentSelection,
    RegisterSelection,
    decode_maximum_tiers,
    decode_present_selection,
    decode_register_selection,
    default_present_selection,
    default_register_selection,
)
from .tables.identity import Phases
from .tables.names import parse_table

_LOGGER = logging.getLogger(__name__)

_BT15 = parse_table("BT15")
_BT20 = parse_table("BT20")
_BT22 = parse_table("BT22")
_BT27 = parse_table("BT27")
_ET04 = parse_table("ET04")
_ET55 = parse_table("ET55")

_OUTAGE_SECONDS_SINCE = (2, 10, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """The facts about a meter's registers, and why others are still unknown.

    unknown has the last error of each table that did not say what it should.
    """

    facts: RegisterMap
    unknown: Mapping[str, MeterError] = field(default_factory=dict)


async def learn(
    link: Link, identity: MeterIdentity, facts: RegisterMap | None = None
) -> Learned:
    """Ask for all that is not among the known facts.

    Without any, the dimensions come first, and nothing goes without them. Raises
    MeterError for these, and for a link that does not work.
    """
    if facts is None:
        firmware = identity.firmware_version
        facts = RegisterMap(
            dimensions=await patiently(link, lambda: read_register_dimensions(link)),
            firmware_major=firmware[0],
            phases=None,
            outage_minutes=identity.is_meter and firmware < _OUTAGE_SECONDS_SINCE,
        )
    unknown: dict[str, MeterError] = {}
    for fact, (table, ask) in _QUESTIONS.items():
        if getattr(facts, fact) is None:
            with _deciding_nothing(link, partial(unknown.setdefault, table)):
                facts = replace(facts, **{fact: await ask(link, identity, facts)})
    for reason in unknown.values():
        _LOGGER.debug("Not known yet: %s", reason)
    return Learned(facts=facts, unknown=unknown)


@contextmanager
def _deciding_nothing(
    link: Link, note: Callable[[MeterError], object]
) -> Iterator[None]:
    """Note an error that leaves a fact unknown; others, as of the link, are raised."""
    try:
        yield
    except (RefusalError, DecodeError, UnverifiedReplyError) as err:
        note(err)
    except NoReplyError as err:
        if not link.is_answering:
            raise
        note(err)


async def _read_selection(
    link: Link, _identity: MeterIdentity, facts: RegisterMap
) -> RegisterSelection:
    dimensions = facts.dimensions
    try:
        data = await link.read(_BT22, 0, dimensions.selection_length)
    except RefusalError as err:
        _require_absence(err)
        return default_register_selection(dimensions)
    return decode_register_selection(data, dimensions)


async def _read_present_selection(
    link: Link, _identity: MeterIdentity, facts: RegisterMap
) -> PresentSelection:
    dimensions = facts.dimensions
    try:
        data = await link.read(_BT27, 0, dimensions.present_selection_length)
    except RefusalError as err:
        _require_absence(err)
        return default_present_selection(dimensions)
    return decode_present_selection(data, dimensions)


def _require_absence(err: RefusalError) -> None:
    """Raise an error that does not say that there is no selection of registers."""
    if not is_absent(err):
        raise err
    _LOGGER.warning(
        "%s. The order of registers in the MEP guide is assumed instead", err
    )


async def _read_constants(
    link: Link, _identity: MeterIdentity, _facts: RegisterMap
) -> Constants:
    """Read the ratios, BT15. Hardware without external transformers needs none."""
    try:
        return decode_constants(await link.read(_BT15, 0, CONSTANTS_LENGTH))
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        if (await read_hardware(link)).has_transformers:
            raise
        _LOGGER.warning("%s. The meter's hardware has no transformers", err)
        return NO_TRANSFORMERS


async def _read_phases(
    link: Link, _identity: MeterIdentity, _facts: RegisterMap
) -> Phases:
    return await read_phases(link)


async def _read_energy_unit(
    link: Link, identity: MeterIdentity, facts: RegisterMap
) -> int:
    """Return what a count of an energy register stands for: 1, 10 or 100 Wh.

    It is other than 1 only with newer firmware (guide, ET55).
    ET55 and ET42 say the same; one that does not answer is not needed. Where both are
    out of reach, a meter without transformers counts 1 Wh, as the guide has it.
    """
    if not identity.is_like_3_70:
        return 1
    units: set[int] = set()
    errors: list[MeterError] = []
    for read in (_read_configured_unit, _read_defined_unit):
        with _deciding_nothing(link, errors.append):
            units.add(await read(link, identity))
    if len(units) > 1:
        told = " and ".join(f"{unit} Wh" for unit in sorted(units))
        raise DecodeError("ET55", 0, 0, f"the unit of energies differs in ET42: {told}")
    if units:
        return units.pop()
    asked_again = [err for err in errors if not _is_final(err)]
    if asked_again:
        raise asked_again[0]
    if facts.constants is None or facts.constants.has_transformers:
        raise errors[0]
    _LOGGER.warning("%s. Energy registers are taken as counts of 1 Wh", errors[0])
    return 1


def _is_final(err: MeterError) -> bool:
    """Return whether a table will not tell the unit later either."""
    return isinstance(err, DecodeError) or is_out_of_reach(err)


async def _read_configured_unit(link: Link, identity: MeterIdentity) -> int:
    """Read the energy unit of ET55, whose place depends on BT20. Raises MeterError."""
    tiers = decode_maximum_tiers(await link.read(_BT20, MAXIMUM_TIERS_OFFSET, 1))
    offset = energy_unit_offset(identity.firmware_version[0], tiers)
    return decode_energy_unit(await link.read(_ET55, offset, 1), offset)


async def _read_defined_unit(link: Link, _identity: MeterIdentity) -> int:
    """Read the energy unit of ET42. Raises MeterError."""
    definition = await read_interface_definition(link)
    if definition.energy_unit is None:
        raise DecodeError("ET42", 0, 0, "it has no unit of energies")
    return definition.energy_unit


type _Ask = Callable[[Link, MeterIdentity, RegisterMap], Awaitable[Any]]

_QUESTIONS: Final[Mapping[str, tuple[str, _Ask]]] = {
    "selection": ("BT22", _read_selection),
    "present_selection": ("BT27", _read_present_selection),
    "constants": ("BT15", _read_constants),
    "phases": ("ET04", _read_phases),
    "energy_unit": ("ET55", _read_energy_unit),
}
"""The facts of a register map in the order in which they are asked for, each with the
table that has it. Whether a meter has transformers decides on the energy unit."""
