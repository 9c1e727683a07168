"""An M-Bus device as the meter sees it: when it was read, and what it said."""

from bisect import bisect_right
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from .devices import MbusDevice
from .telegram import Record

PERIOD = 3600  # scheduled reads are hourly
_STAGGER = 7  # seconds from one device's read to the next one's


class SlotStatus(IntEnum):
    """ET14: what has become of a device."""

    EMPTY = 0
    UP = 1
    DOWN = 2


class Silence(NamedTuple):
    """From when to when (None: still) a device does not answer, Unix time."""

    start: int
    end: int | None = None

    def holds(self, time: int) -> bool:
        """Tell whether the device is silent at a time."""
        return self.start <= time and (self.end is None or time < self.end)


@dataclass(slots=True)
class MbusSlot:
    """One occupied slot.

    ``offset`` is added to the device's litres at all times, ``status`` is the status
    byte that it sends, ``demanded`` are the times of answered on-demand reads.
    """

    index: int
    device: MbusDevice
    offset: int = 0
    status: int = 0
    demanded: list[int] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Keep since when the device is down."""
        if self.device.down_since is not None:
            self.silences.append(Silence(self.device.down_since))

    @property
    def first_read(self) -> int:
        """When the device was read for the first time, Unix time."""
        return self.device.commissioned + 5 + _STAGGER * self.index

    def down(self, time: int) -> bool:
        """Tell whether the device is silent at a time."""
        return any(silence.holds(time) for silence in self.silences)

    def set_down(self, time: int, down: bool) -> None:
        """Let the device fall silent, or answer again."""
        if down and not self.down(time):
            self.silences.append(Silence(time))
        elif not down:
            self.silences = [
                silence._replace(end=time) if silence.holds(time) else silence
                for silence in self.silences
            ]

    def attempts(self, time: int) -> int:
        """Return how many scheduled reads there were up to a time."""
        return max(0, (time - self.first_read) // PERIOD + 1)

    def answers(self, time: int) -> int:
        """Return how many of them the device answered."""
        missed = sum(
            self.attempts(min(silence.end or time + 1, time + 1) - 1)
            - self.attempts(silence.start - 1)
            for silence in self.silences
            if silence.start <= time
        )
        return self.attempts(time) - missed

    def answered_reads(self, time: int, limit: int) -> list[int]:
        """Return when the last scheduled reads were, newest first; at most a limit."""
        reads: list[int] = []
        number = self.attempts(time) - 1
        while number >= 0 and len(reads) < limit:
            read = self.first_read + PERIOD * number
            hits = [s.start for s in self.silences if s.holds(read)]
            if hits:
                number = min(number - 1, self.attempts(min(hits) - 1) - 1)
                continue
            reads.append(read)
            number -= 1
        return reads

    def on_demand(self, time: int) -> int | None:
        """Return the last answered on-demand read up to a time."""
        before = bisect_right(self.demanded, time)
        return self.demanded[before - 1] if before else None

    def last_read(self, time: int, *, scheduled: bool = True) -> int | None:
        """Return the last answered read; or only of the first and on-demand ones."""
        first = self.first_read if self.first_read <= time else None
        latest = self.answered_reads(time, 1) if scheduled else []
        reads = [read for read in (first, *latest, self.on_demand(time)) if read]
        return max(reads, default=None)

    def telegram(self, read: int, zone: ZoneInfo) -> bytes:
        """Return what the device said at a read, with the meter's final 0."""
        reading = self.device.reading(read, zone, self.offset)
        access = self.answers(read)
        return self.device.telegram(reading, access, self.status) + b"\0"

    def records(self, read: int, zone: ZoneInfo) -> list[Record]:
        """Return the records of a read."""
        return self.device.records(self.device.reading(read, zone, self.offset))


def scheduled_reads(
    slots: list[MbusSlot], time: int, limit: int
) -> list[tuple[int, MbusSlot]]:
    """Return the newest scheduled reads of all devices but each first one, in order."""
    reads = [
        (read, slot)
        for slot in slots
        for read in takewhile(
            lambda read, first=slot.first_read: read > first,  # type: ignore[misc]
            slot.answered_reads(time, limit),
        )
    ]
    return sorted(reads, key=lambda item: item[0])[-limit:] if limit else []


def scheduled_total(slots: list[MbusSlot], time: int) -> int:
    """Return how many scheduled reads there were, without each first one."""
    return sum(max(0, slot.answers(time) - 1) for slot in slots)
