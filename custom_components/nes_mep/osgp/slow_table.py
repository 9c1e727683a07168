"""What a slow table is: values by key that are read less often than the registers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from .discovery import MeterIdentity
from .link import Link
from .registers import Value

MINUTE = 60.0
QUARTER_HOUR = 900.0
"""Logs are in non-volatile memory, which should be read seldom."""

type Reader = Callable[[], Awaitable[Mapping[str, Value | None]]]
"""Reads the values of a slow table; raises MeterError. None is no value at present.

A key with a dot is an attribute of what is before the dot."""


@dataclass(frozen=True, slots=True)
class SlowTable:
    """A table, or a part of one, that is read at its own pace.

    period is the seconds between two reads. prepare asks the meter once for what is
    needed to read it, and returns the reader, or None if the meter does not have it; it
    raises MeterError.
    """

    name: str
    period: float
    prepare: Callable[[Link, MeterIdentity], Awaitable[Reader | None]]
