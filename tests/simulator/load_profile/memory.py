"""What a meter remembers of its load profile's past besides what it measured."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf
from typing import NamedTuple

from .recording import Grid, Run

# Channel status: value by name; and which of several is kept (guide, page 240).
STATUS = {
    "overflow": 1,
    "partial": 2,
    "long": 3,
    "skipped": 4,
    "test": 5,
    "encrypted": 8,
    "clock_error": 9,
    "missing": 10,
    "not_current": 11,
    "opted_out": 12,
    "placeholder": 15,
}
PRECEDENCE = {
    4: 11,
    15: 11,
    1: 10,
    8: 8,
    11: 7,
    10: 6,
    2: 5,
    3: 4,
    9: 3,
    5: 2,
    12: 1,
    0: 0,
}
COMPLIANT = {8: 4, 11: 4, 15: 4, 9: 0, 10: 0}  # what ANSI compliance makes of them


class Lost(NamedTuple):
    """Intervals that end in a time were not recorded; Unix time, None: all sets."""

    after: float
    until: float
    data_set: int | None = None

    def concerns(self, data_set: int) -> bool:
        """Tell whether it was in a data set."""
        return self.data_set in {None, data_set}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A status that intervals which end in a time have, whatever really happened."""

    after: float
    until: float
    status: int = 0
    common: int = 0
    channel: int | None = None
    data_set: int | None = None

    def concerns(self, data_set: int, end: int) -> bool:
        """Tell whether an interval has it."""
        here = self.data_set in {None, data_set}
        return here and self.after < end <= self.until


@dataclass(frozen=True, slots=True)
class Pause:
    """The load profile was off (``until`` infinite: still), or opted out of."""

    after: float
    until: float = inf
    opt_out: bool = False


@dataclass(slots=True)
class LoadProfileMemory:
    """Settings and mishaps; times are Unix times of the meter's own clock."""

    configured: int
    configuration_id: int = 0x1F2A0001
    lost: list[Lost] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)

    def restart(self, time: datetime) -> None:
        """Start again with another configuration."""
        self.configured = int(time.timestamp())
        self.configuration_id += 1
        self.lost.clear()
        self.marks.clear()
        self.pauses = [pause for pause in self.pauses if pause.until == inf]

    def resume(self, time: float) -> None:
        """End what is switched off, or opted out of."""
        self.pauses = [
            replace(pause, until=time) if pause.until == inf else pause
            for pause in self.pauses
        ]

    def paused(self, time: float, *, opt_out: bool) -> bool:
        """Tell whether it is off, or opted out of, at a time."""
        return any(
            pause.after <= time < pause.until and pause.opt_out == opt_out
            for pause in self.pauses
        )

    def gaps(self, grid: Grid, data_set: int, *, zeroes: bool) -> list[Run]:
        """Return what was not recorded; an opt-out is no gap when it ``zeroes``."""
        spans = [
            *(
                (lost.after, lost.until)
                for lost in self.lost
                if lost.concerns(data_set)
            ),
            *(
                (pause.after, pause.until)
                for pause in self.pauses
                if not (pause.opt_out and zeroes)
            ),
        ]
        # No grid goes on for ever; an open end is that of all time.
        return [grid.ends_within(after, min(until, 2.0**40)) for after, until in spans]
