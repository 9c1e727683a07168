"""The air between head and optical port: bytes in, bytes out, at the right time."""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import override

from ..line import SLOWEST, Timer, Timers
from ..timing import CHUNK_TIME
from .link import Link, Wire
from .packets import Received
from .port import OpticalPort


class OpticalLine(Wire):
    """Feeds an optical port with what a client sends and paces what goes back.

    ``connect`` tells where bytes go; while nobody is connected they are lost, as all
    are while no head is attached. All times are those of one clock.
    """

    def __init__(self, port: OpticalPort, timers: Timers) -> None:
        """Attach a line to a port."""
        self._port = port
        self._timers = timers
        self._numbers = count()
        self._came: list[tuple[float, int, Received]] = []
        self._going: list[tuple[float, int, bytes | None]] = []  # None: hang up
        self._timer: Timer | None = None
        self._receiving_until = 0.0
        self._sending_until = 0.0
        self._write: Callable[[bytes], None] | None = None
        self._hang_up: Callable[[], None] | None = None
        port.monotonic = timers.time
        port.meter.table(SLOWEST)  # adds up the history now, not while a client waits
        self._link = Link(port, self)
        port.meter.on_sent.append(self._shine)

    def connect(
        self, write: Callable[[bytes], None], hang_up: Callable[[], None]
    ) -> None:
        """Send to a client from now on."""
        self._write, self._hang_up = write, hang_up

    def disconnect(self) -> None:
        """Send to nobody."""
        self._write = self._hang_up = None

    def close(self) -> None:
        """Stop the timer; the line is of no use any more."""
        self.disconnect()
        self._port.meter.on_sent.remove(self._shine)
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self._came.clear()
        self._going.clear()

    def feed(self, data: bytes) -> None:
        """Receive bytes that a client began to send now."""
        port, byte_time = self._port, self._port.pace.byte_time
        port.counts["bytes_received"] += len(data)
        if not port.is_attached:
            return
        start = max(self._timers.time(), self._receiving_until)
        self._receiving_until = start + len(data) * byte_time
        if port.echoes:
            self._plan(self._receiving_until, data)
        self._link.refresh()
        if port.is_deaf:
            self._link.receiver.reset()
        else:
            data = port.noise.damaged(data)
            self._link.notice(data, start)
            for when, received in self._link.receiver.feed(data, start, byte_time):
                heappush(self._came, (when, next(self._numbers), received))
        self._run()

    @override
    def send(self, data: bytes, when: float, *, pause: float = 0.0) -> float:
        byte_time = self._port.pace.byte_time
        start = max(when, self._sending_until, self._timers.time()) + pause
        data = self._port.noise.damaged(data)
        size = max(1, int(CHUNK_TIME / byte_time)) if byte_time else len(data)
        for first in range(0, len(data), size or 1):
            chunk = data[first : first + size]
            self._plan(start + (first + len(chunk)) * byte_time, chunk)
        self._port.counts["bytes_sent"] += len(data)
        self._sending_until = start + len(data) * byte_time
        return self._sending_until

    @override
    def hang_up(self, when: float) -> None:
        self._plan(when, None)

    def _plan(self, when: float, data: bytes | None) -> None:
        heappush(self._going, (when, next(self._numbers), data))

    def _shine(self, data: bytes) -> None:
        """Let what the MEP sends be seen here."""
        port = self._port
        if port.shares_uart and port.settings.shines_out:
            self._transmit(data)

    def _transmit(self, data: bytes) -> None:
        if self._write and self._port.is_attached:
            self._write(data)

    def _run(self) -> None:
        """Do all that is due, then sleep until the next thing is."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while (wake := self._next()) is not None and wake <= self._timers.time():
            self._step(wake)
        if wake is not None:
            self._timer = self._timers.call_at(wake, self._run)

    def _moments(self) -> tuple[float | None, ...]:
        """Return when something came, goes, is broken off, is to be repeated."""
        return (
            self._came[0][0] if self._came else None,
            self._going[0][0] if self._going else None,
            self._link.receiver.deadline,
            self._link.ack_due,
        )

    def _next(self) -> float | None:
        return min((when for when in self._moments() if when is not None), default=None)

    def _step(self, when: float) -> None:
        """Do the one thing that is due first."""
        came, going, broken, _ = self._moments()
        if when == going:
            _, _, data = heappop(self._going)
            if data is not None:
                self._transmit(data)
            elif self._hang_up:
                self._hang_up()
        elif when == came:
            _, _, received = heappop(self._came)
            self._link.take(received, when)
        elif when == broken:
            for moment, received in self._link.receiver.wait(when):
                self._link.take(received, moment)
        else:
            self._link.wait(when)
