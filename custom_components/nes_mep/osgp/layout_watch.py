"""Whether the layout of a meter's tables has changed since it was learned."""

from contextlib import suppress
from dataclasses import dataclass
import logging
from typing import Final, Self

from .discovery import read_interface_version, read_register_dimensions
from .errors import DecodeError, NoReplyError, RefusalError
from .link import Link
from .refusals import is_out_of_reach
from .tables.dimensions import RegisterDimensions
from .tables.names import parse_table

_LOGGER = logging.getLogger(__name__)

_BT22 = parse_table("BT22")

type _Version = int | tuple[RegisterDimensions, bytes]
"""What changes with the layout: the interface version or, where that is out of reach of
the usual key, the dimensions and the selection of the registers."""

_UNREADABLE: Final = -1
"""Stands for the interface version of a meter that never tells it."""

_FIRST_NUMBERS: Final = 1
"""How often an unchanged meter refuses the sequence number while it is opened: nobody
knew it before."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the meter has shown: whether the layout may be another one.

    The other fields are what the next look is compared with.
    """

    has_changed: bool
    version: _Version | None
    restarts: int | None
    sessions: int


class LayoutWatch:
    """Compares the interface version (ET04.116) and the jumps of the sequence number.

    A meter that raises its interface version also makes its sequence number jump. Over
    TLS there are no sequence numbers, and the version alone tells. At the optical port,
    BT21 and BT22 are compared in each session.
    """

    def __init__(self, link: Link, version: _Version | None) -> None:
        """Initialize with the interface version, None while it is not known."""
        self._link = link
        self._version = version
        self._restarts = None if link.restarts is None else _FIRST_NUMBERS
        self._sessions = link.sessions
        self._has_read = False

    @classmethod
    async def start(cls, link: Link) -> Self:
        """Watch from now on, before the layout is learned. Raises MeterError."""
        has_numbers = link.restarts is not None
        return cls(link, None if has_numbers else await _read_version(link))

    @property
    def is_due(self) -> bool:
        """Whether to look before registers are read.

        The version to compare with is read after the first readings, which it would
        only delay; if there are no sequence numbers, before them.
        """
        if self._has_restarted:
            return True
        has_numbers = self._link.restarts is not None
        return self._version is None and (self._has_read or not has_numbers)

    @property
    def is_due_after(self) -> bool:
        """Whether to look after registers were read.

        If there are no sequence numbers, nothing else tells.
        """
        if self._link.watches_sessions:
            return self._link.sessions != self._sessions
        return self._has_restarted or self._link.restarts is None

    @property
    def _has_restarted(self) -> bool:
        """Whether the meter has changed its sequence number on its own."""
        return self._link.restarts != self._restarts

    def registers_were_read(self) -> None:
        """Record that there are readings, so that the version delays none."""
        self._has_read = True

    async def look(self) -> Look:
        """Look at the meter. If the version cannot be read, a jump is reason enough.

        Raises MeterError.
        """
        restarts, sessions = self._link.restarts, self._link.sessions
        version: _Version | None = None
        with suppress(NoReplyError):
            version = await _read_version(self._link)
        # A jump that answers this very read counts; it is looked into once more later.
        jumped = self._has_restarted
        is_told = {None, _UNREADABLE}.isdisjoint((version, self._version))
        has_changed = version != self._version if is_told else jumped
        return Look(has_changed, version, restarts, sessions)

    def accept(self, look: Look) -> None:
        """Compare with a look from now on: the layout was learned after it."""
        if look.version is not None:
            self._version = look.version
        self._restarts = look.restarts
        self._sessions = look.sessions


async def _read_version(link: Link) -> _Version | None:
    """Return what changes with the layout; None if the meter does not tell it now.

    Raises MeterError for failures of the link.
    """
    try:
        if not link.watches_sessions:
            return await read_interface_version(link)
        dimensions = await read_register_dimensions(link)
        return dimensions, await link.read(_BT22, 0, dimensions.selection_length)
    except (RefusalError, DecodeError) as err:
        _LOGGER.debug("The interface version cannot be read: %s", err)
        return _UNREADABLE if is_out_of_reach(err) else None
