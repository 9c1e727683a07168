"""The meter's end of a serial line: bytes in, bytes out, at the right time."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from .faults import ALERT
from .framing import Assembler, RequestBytes
from .meter import SimulatedMeter

SLOWEST = 23  # BT23
ALERT_INTERVAL = 1.0
ALERT_HOLD_OFF = 1.0


class Timer(Protocol):
    """Something that is going to happen."""

    def cancel(self) -> None:
        """Let it not happen."""


class Timers(Protocol):
    """What the line needs of an event loop: the time, and calls at a time."""

    def time(self) -> float:
        """Return the time in seconds."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> Timer:
        """Call at a time."""

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer:
        """Call after so many seconds."""


class Line:
    """Feeds a meter with what a client sends and paces what goes back.

    ``connect`` tells where bytes go; while nobody is connected they are lost, as on a
    wire. All times are those of one clock, so that delays do not add up.
    """

    def __init__(self, meter: SimulatedMeter, timers: Timers) -> None:
        """Attach a line to a meter."""
        self._meter = meter
        self._timers = timers
        self._assembler = Assembler()
        self._waiting: deque[RequestBytes] = deque()
        self._due: deque[tuple[float, bytes]] = deque()
        self._cut = False  # disconnect when everything due is written
        self._timer: Timer | None = None
        self._alert_timer: Timer | None = None
        self._receiving_until = 0.0
        self._sending_until = 0.0
        self._next_service = 0.0
        self._last_frame = float("-inf")
        self._write: Callable[[bytes], None] | None = None
        self._hang_up: Callable[[], None] | None = None
        meter.monotonic = timers.time
        meter.table(SLOWEST)  # adds up the history now, not while a client waits
        meter.on_alert.append(self._alert_changed)
        self._alert_changed()

    def connect(
        self, write: Callable[[bytes], None], hang_up: Callable[[], None]
    ) -> None:
        """Send to a client from now on."""
        self._write, self._hang_up = write, hang_up

    def disconnect(self) -> None:
        """Send to nobody."""
        self._write = self._hang_up = None

    def close(self) -> None:
        """Stop all timers; the line is of no use any more."""
        self.disconnect()
        self._meter.on_alert.remove(self._alert_changed)
        for timer in (self._timer, self._alert_timer):
            if timer:
                timer.cancel()
        self._timer = self._alert_timer = None
        self._waiting.clear()
        self._due.clear()

    def feed(self, data: bytes) -> None:
        """Receive bytes that a client began to send now."""
        self._meter.bytes_received += len(data)
        if self._meter.uart_is_taken():
            return
        byte_time = self._meter.pace.byte_time
        start = max(self._timers.time(), self._receiving_until)
        self._receiving_until = start + len(data) * byte_time
        self._waiting += self._assembler.feed(data, start, byte_time)
        self._run()

    def _run(self) -> None:
        """Do all that is due, then sleep until the next thing is."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        wake = self._send()
        while wake is None and self._waiting:
            now = self._timers.time()
            due = max(
                self._waiting[0].complete, self._next_service, self._sending_until
            )
            if due > now:
                wake = due
                break
            self._serve(self._waiting.popleft(), due)
            wake = self._send()
        if wake is not None:
            self._timer = self._timers.call_at(wake, self._run)

    def _serve(self, request: RequestBytes, due: float) -> None:
        """Let the meter answer and plan when its bytes leave.

        The plan starts when the request was due, not when the line got round to it.
        """
        pace = self._meter.pace
        if not pace.baud:
            due = self._timers.time()
        self._last_frame = due
        exchange = self._meter.exchange(request.message)
        if not exchange.lost:
            self._next_service = due + pace.request_interval
        start = due + exchange.delay
        for frame in exchange.frames:
            for offset, first, end in pace.chunks(len(frame)):
                self._due.append((start + offset, frame[first:end]))
            start += pace.reply_time(len(frame))
        if exchange.frames:
            self._sending_until = start
        self._cut = exchange.disconnect

    def _send(self) -> float | None:
        """Write what is due and return when the next bytes are, None for never."""
        now = self._timers.time()
        ready = bytearray()
        while self._due and self._due[0][0] <= now:
            ready += self._due.popleft()[1]
        if ready:
            self._transmit(bytes(ready))
        if self._due:
            return self._due[0][0]
        if self._cut:
            self._cut = False
            if self._hang_up:
                self._hang_up()
        return None

    def _transmit(self, data: bytes) -> None:
        if self._meter.uart_is_taken():
            return
        self._meter.bytes_sent += len(data)
        for heard in self._meter.on_sent:
            heard(data)
        if self._write:
            self._write(data)

    def _alert_changed(self) -> None:
        if self._meter.alert and self._alert_timer is None:
            self._alert_timer = self._timers.call_later(0, self._send_alert)
        elif not self._meter.alert and self._alert_timer:
            self._alert_timer.cancel()
            self._alert_timer = None

    def _send_alert(self) -> None:
        """Send an alert sequence, unless a frame came or goes just now."""
        now = self._timers.time()
        held_until = max(self._last_frame + ALERT_HOLD_OFF, self._sending_until)
        wake = held_until
        if now >= held_until:
            self._transmit(ALERT)
            wake = now + ALERT_INTERVAL
        self._alert_timer = self._timers.call_at(wake, self._send_alert)
