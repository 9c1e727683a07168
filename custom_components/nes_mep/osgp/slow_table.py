"""What a slow table is: values by key that are read less often than the registers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .discovery import MeterIdentity, read_hardware, read_phases
from .link import Link
from .registers import Value
from .tables.identity import Phases
from .tables.status import Hardware

MINUTE = 60.0
QUARTER_HOUR = 900.0
"""Logs are in non-volatile memory, which should be read seldom."""

type Reader = Callable[[], Awaitable[Mapping[str, Value | None]]]
"""Reads the values of a slow table; raises MeterError. None is no value at present.

A key with a dot is an attribute of what is before the dot."""


@dataclass(slots=True)
class SlowTableSource:
    """The meter that slow tables are read from, and what several of them depend on.

    That is asked for once. phases are None while the meter has not told them.
    """

    link: Link
    identity: MeterIdentity
    phases: Phases | None
    hardware: Hardware | None = None

    async def ask_phases(self) -> Phases:
        """Return the phases that the meter measures. Raises MeterError."""
        if self.phases is None:
            self.phases = await read_phases(self.link)
        return self.phases

    async def ask_hardware(self) -> Hardware:
        """Return what is built into the meter. Raises MeterError."""
        if self.hardware is None:
            self.hardware = await read_hardware(self.link)
        return self.hardware


@dataclass(frozen=True, slots=True)
class SlowTable:
    """A table, or a part of one, that is read at its own pace.

    period is the seconds between two reads. prepare asks the meter once for what is
    needed to read it, and returns the reader, or None if the meter does not have it; it
    raises MeterError.
    """

    name: str
    period: float
    prepare: Callable[[SlowTableSource], Awaitable[Reader | None]]
