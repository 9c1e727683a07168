"""One port to a meter: opening, and exchanging one message at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import logging
from typing import override
from urllib.parse import urlsplit

import serialx

from .errors import MeterError, NoReplyError, PortError, UnverifiedReplyError
from .mep.framing import LONGEST_MESSAGE, Framer
from .mep.security import Envelope, Exchange
from .statistics import LinkStatistics

_LOGGER = logging.getLogger(__name__)

DEFAULT_BAUDRATE = 9600
_BITS_PER_BYTE = 10

_COPIES = 3
_FIRST_COPIES = 5
"""Copies of a request that is not answered; more while the port may warm up."""

_CLOSE_TIME = 2.0
_CONTROL_TIME = 2.0
"""The longest wait for a server that confirms control lines; not every one does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Time limits of a port, in seconds.

    reply is the longest time from the last byte sent to the first byte of the
    reply (guide, "MEP protocol timing": 0.5), gap the silence that ends a message
    (the meter itself pauses 0.025 in long replies), open the time for opening, and
    enable_off how long RTS and DTR are dropped to restart the meter's port.
    """

    reply: float = 0.5
    gap: float = 0.25
    open: float = 10.0
    enable_off: float = 0.5


LOCAL_TIMING = Timing()
NETWORK_TIMING = Timing(reply=1.0, gap=1.0)
"""A network transport may hold bytes back, there and back."""

_PORT_ERRORS = (OSError, serialx.SerialException)


class _Line(asyncio.Protocol):
    """An open connection: its transport, and what that reports."""

    transport: serialx.BaseSerialTransport

    def __init__(self, statistics: LinkStatistics) -> None:
        """Start with nothing received."""
        self.framer = Framer()
        self.messages: deque[bytes] = deque()
        self.last_byte_at = 0.0
        self.lost = False
        self.abandoned = False
        self.news = asyncio.Event()
        self._statistics = statistics
        self._time = asyncio.get_running_loop().time

    @property
    def gone(self) -> bool:
        """Whether nothing more can be exchanged."""
        return self.lost or self.abandoned

    @override
    def data_received(self, data: bytes) -> None:
        self.last_byte_at = self._time()
        self._statistics.bytes_received += len(data)
        alerts = self.framer.alerts
        self.messages.extend(self.framer.feed(data))
        self._statistics.alerts += self.framer.alerts - alerts
        if self.messages:
            self.news.set()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        _LOGGER.debug("Connection lost: %s", exc)
        self.lost = True
        self.news.set()


class Port:
    """A serial port, or a serialx URL, with a meter at its other end.

    Whoever wants to exchange messages has a turn, in the order of asking.
    """

    def __init__(
        self,
        url: str,
        *,
        statistics: LinkStatistics,
        baudrate: int = DEFAULT_BAUDRATE,
        timing: Timing | None = None,
    ) -> None:
        """Take a device path or URL; nothing is opened yet.

        Without a timing, that of local ports or that of network ports is used.
        """
        self.answering = False
        self._url = url
        self._baudrate = baudrate
        self._statistics = statistics
        self._turn = asyncio.Lock()
        self._line: _Line | None = None
        self._has_control_lines = False
        self._closed = False
        network = "://" in url
        self._timing = timing or (NETWORK_TIMING if network else LOCAL_TIMING)

    @property
    def name(self) -> str:
        """The port as errors and logs show it: without credentials or options."""
        parts = urlsplit(self._url)
        if "://" not in self._url:
            return self._url
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    async def open(self) -> None:
        """Open the port if it is not open, or raise PortError."""
        async with self._turn:
            if self._line is None or self._line.lost:
                await self._close()
                await self._open()

    async def reopen(self) -> None:
        """Close the port, restart the meter's side where possible, and open it.

        RTS and DTR, which drive the ENABLE pin of the MEP on common adapters, are
        dropped for a moment. Raises PortError.
        """
        async with self._turn:
            self._statistics.reopens += 1
            if self._line and self._has_control_lines:
                await self._set_control_lines(self._line, rts=False, dtr=False)
                await asyncio.sleep(self._timing.enable_off)
            await self._close()
            await self._open()

    async def close(self, farewell: Envelope | None = None) -> None:
        """Close the port for good; an exchange that is under way fails.

        A farewell is sent before, once, whether or not the meter answers it.
        """
        self._closed = True
        if self._line:
            self._line.abandoned = True
            self._line.news.set()
        async with self._turn:
            if farewell and self._line:
                self._line.abandoned = False
                with suppress(MeterError):
                    await self._exchange(farewell)
            await self._close()

    @property
    def copies(self) -> int:
        """How often a request is sent until its silence is believed."""
        return _COPIES if self.answering else _FIRST_COPIES

    async def converse[T](self, talk: Callable[[Exchange], Awaitable[T]]) -> T:
        """Return what a talk returns that has the line for itself, in its turn.

        The exchange that it is given sends a request and returns the packet of the
        genuine reply; a request that is not answered is sent again if it is
        repeatable. It raises NoReplyError after silence, UnverifiedReplyError when
        something arrived that does not answer the request, TlsError when the
        answer ends the session, and PortError when the port is lost or not
        open.
        """
        async with self._turn:
            return await talk(self._exchange)

    async def _exchange(self, envelope: Envelope) -> bytes:
        """Send a request and return the packet of the genuine reply to it."""
        line = self._line
        if line is None or line.gone:
            raise self._lost()
        line.framer.reset()
        line.messages.clear()
        frame = len(envelope.message).to_bytes(2) + envelope.message
        for copy in range(self.copies if envelope.repeatable else 1):
            self._statistics.resent += copy > 0
            sent_at = self._send(line, frame)
            packet = await self._receive(line, envelope, sent_at)
            if packet is not None:
                self.answering = True
                self._statistics.replies += 1
                self._statistics.last_reply_time = round(
                    (line.last_byte_at - sent_at) * 1000, 1
                )
                return packet
            self._statistics.timeouts += 1
        raise NoReplyError(
            f"The meter at {self.name} does not answer: check the wiring and the "
            "ENABLE pin; while the optical port is read, it is silent too"
        )

    def _send(self, line: _Line, frame: bytes) -> float:
        """Send a frame and return when its last byte leaves."""
        if _LOGGER.isEnabledFor(logging.DEBUG):
            _LOGGER.debug("Sent %s", frame.hex())
        self._statistics.requests += 1
        self._statistics.bytes_sent += len(frame)
        try:
            line.transport.write(frame)
        except _PORT_ERRORS as err:
            line.lost = True
            raise self._lost() from err
        return asyncio.get_running_loop().time() + self._duration(len(frame))

    async def _receive(
        self, line: _Line, envelope: Envelope, sent_at: float
    ) -> bytes | None:
        """Return the packet of the genuine reply, or None after silence."""
        time = asyncio.get_running_loop().time
        start_by = sent_at + self._timing.reply
        end_by = start_by + self._duration(LONGEST_MESSAGE) + 4 * self._timing.gap
        failure: UnverifiedReplyError | None = None
        while True:
            while line.messages:
                message = line.messages.popleft()
                if _LOGGER.isEnabledFor(logging.DEBUG):
                    _LOGGER.debug("Received %s", message.hex())
                try:
                    return envelope.open(message)
                except UnverifiedReplyError as err:
                    # The reply to an earlier request, or a damaged one. The wait
                    # goes on: the right one may follow.
                    self._statistics.digest_failures += 1
                    failure = failure or err
            if line.gone:
                raise self._lost()
            limit = start_by
            if line.framer.pending:
                limit = min(max(limit, line.last_byte_at + self._timing.gap), end_by)
            if time() >= limit:
                if line.framer.pending:
                    line.framer.reset()
                    failure = failure or UnverifiedReplyError("A reply breaks off")
                if failure:
                    raise failure
                return None
            line.news.clear()
            try:
                async with asyncio.timeout_at(limit):
                    await line.news.wait()
            except TimeoutError:
                continue

    async def _open(self) -> None:
        """Open the port."""
        if self._closed:
            raise PortError(f"The port {self.name} was closed")
        loop = asyncio.get_running_loop()
        line = _Line(self._statistics)
        try:
            async with asyncio.timeout(self._timing.open):
                line.transport, _ = await serialx.create_serial_connection(
                    loop, lambda: line, self._url, baudrate=self._baudrate
                )
        except Exception as err:
            # Transports that others register with serialx raise what they like.
            reason = str(err) or f"no answer within {self._timing.open:.0f} s"
            raise PortError(f"The port {self.name} does not open: {reason}") from err
        self._line = line
        self.answering = False
        self._has_control_lines = await self._raise_control_lines(line)

    async def _raise_control_lines(self, line: _Line) -> bool:
        """Raise RTS and DTR, as far as this port has them; return whether it has any.

        One at a time: a serial proxy that lacks one of them refuses both if it is
        asked for both. serialx asks it again for what it refused before, so a line
        that is refused is dropped in the next request.
        """
        rts = await self._set_control_lines(line, rts=True)
        dtr = await self._set_control_lines(line, rts=rts, dtr=True)
        return rts or dtr

    async def _set_control_lines(
        self, line: _Line, *, rts: bool, dtr: bool | None = None
    ) -> bool:
        """Raise or drop RTS and DTR (None: leave it); return whether the port did."""
        try:
            async with asyncio.timeout(_CONTROL_TIME):
                await line.transport.set_modem_pins(rts=rts, dtr=dtr)
        except _PORT_ERRORS as err:
            _LOGGER.debug("Port %s refuses control lines: %s", self.name, err)
            return False
        return True

    async def _close(self) -> None:
        """Close the connection, if any, and wait for its end for a moment."""
        line, self._line = self._line, None
        self.answering = False
        if line is None:
            return
        try:
            line.transport.close()
            async with asyncio.timeout(_CLOSE_TIME):
                await line.transport.wait_closed()
        except _PORT_ERRORS as err:
            _LOGGER.debug("Port %s closed with an error: %s", self.name, err)
            line.transport.abort()

    def _lost(self) -> PortError:
        return PortError(f"The connection to {self.name} was lost")

    def _duration(self, count: int) -> float:
        """Return the seconds that bytes need on the wire."""
        return count * _BITS_PER_BYTE / self._baudrate
