"""One serial port, or a serialx URL: opening it, its control lines, and its bytes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
import logging
from typing import override
from urllib.parse import urlsplit

import serialx

from .errors import PortError
from .host_clock import HOST_CLOCK, HostClock
from .statistics import LinkStatistics

_LOGGER = logging.getLogger(__name__)

DEFAULT_BAUDRATE = 9600
_BITS_PER_BYTE = 10

_OPEN_TIME = 10.0
_CLOSE_TIME = 2.0
_CONTROL_TIME = 2.0
"""The longest wait, in seconds, for a server to confirm control lines; some never
do."""
_ENABLE_OFF = 0.5
"""How long RTS and DTR are dropped to restart the meter's port, in seconds."""

_FLOOD = 32768
"""Bytes in a second that no meter sends: at 115200 baud, it cannot send half as many."""

_PORT_ERRORS = (Exception,)
"""Transports raise what they like, and hostile bytes make them do so."""


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep serialx from logging what it writes meanwhile."""
    names = [name for name in logging.root.manager.loggerDict if "serialx" in name]
    silenced = [
        each for name in names if not (each := logging.getLogger(name)).disabled
    ]
    for logger in silenced:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in silenced:
            logger.disabled = False


class _Line(asyncio.Protocol):
    """An open connection: its transport, and the callbacks of that."""

    transport: serialx.BaseSerialTransport

    def __init__(self, receive: Callable[[bytes], None], news: asyncio.Event) -> None:
        """Pass received bytes on, and set news when the connection is lost."""
        self.is_lost = False
        self._receive = receive
        self._news = news

    @override
    def data_received(self, data: bytes) -> None:
        self._receive(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        _LOGGER.debug("Connection lost: %s", exc)
        self.is_lost = True
        self._news.set()


class Port:
    """A serial port, or a serialx URL, with a meter at its other end.

    Each exchange takes a turn, first come, first served: `async with port.turn`. news
    is set when the connection is lost or given up; a link also sets it when it has
    received something that is waited for.
    """

    def __init__(
        self,
        url: str,
        receive: Callable[[bytes], None],
        *,
        statistics: LinkStatistics,
        clock: HostClock = HOST_CLOCK,
        baudrate: int = DEFAULT_BAUDRATE,
        dtr: bool = True,
    ) -> None:
        """Pass received bytes to receive; nothing is opened yet.

        url is a device path or a serialx URL. dtr says whether DTR is raised, as RTS is.
        """
        self.turn = asyncio.Lock()
        self.news = asyncio.Event()
        self._url = url
        self._receive = receive
        self._statistics = statistics
        self._clock = clock
        self._baudrate = baudrate
        self._dtr = dtr
        self._line: _Line | None = None
        self._has_control_lines = False
        self._is_given_up = False
        self._is_closed = False
        self._counted_since = 0.0
        self._count = 0
        self._pause: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The port as errors and logs show it: without credentials or options."""
        if "://" not in self._url:
            return self._url
        try:
            parts = urlsplit(self._url)
        except ValueError:
            return "with a malformed URL"
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    @property
    def is_network(self) -> bool:
        """Whether the transport may delay bytes."""
        return "://" in self._url

    @property
    def is_usable(self) -> bool:
        """Whether bytes can be exchanged now."""
        return (
            self._line is not None and not self._line.is_lost and not self._is_given_up
        )

    async def open(self) -> bool:
        """Open the port if it is closed; return whether that was necessary.

        Raises PortError.
        """
        async with self.turn:
            if self._line is not None and not self._line.is_lost:
                return False
            await self._close()
            await self._open()
            return True

    async def reopen(self) -> None:
        """Close the port, restart the meter's side where possible, and open it.

        RTS and DTR, which drive the ENABLE pin of the MEP on common adapters, are
        dropped for a moment. Raises PortError.
        """
        async with self.turn:
            self._statistics.reopens += 1
            if self._line and self._has_control_lines:
                await self._set_control_lines(self._line, rts=False, dtr=False)
                await self._clock.sleep(_ENABLE_OFF)
            await self._close()
            await self._open()

    def give_up(self) -> None:
        """Make an exchange in progress fail, because the port will be closed."""
        self._is_closed = self._is_given_up = True
        self.news.set()

    @contextmanager
    def last_exchange(self) -> Iterator[None]:
        """Allow one more exchange on a port that was given up."""
        self._is_given_up = False
        try:
            yield
        finally:
            self._is_given_up = True

    async def close(self) -> None:
        """Close the port for good, in its turn; an exchange in progress fails."""
        self.give_up()
        async with self.turn:
            await self._close()

    def write(self, data: bytes, *, is_secret: bool = False) -> float:
        """Send bytes; return when the last of them leaves, by the clock.

        What is secret is not logged. Raises PortError.
        """
        if self._line is None or not self.is_usable:
            raise self.lost()
        if _LOGGER.isEnabledFor(logging.DEBUG):
            _LOGGER.debug("Sent %s", "a secret" if is_secret else data.hex())
        try:
            with _unlogged() if is_secret else nullcontext():
                self._line.transport.write(data)
        except _PORT_ERRORS as err:
            self._line.is_lost = True
            raise self.lost() from err
        self._statistics.bytes_sent += len(data)
        return self._clock.time() + self.duration(len(data))

    def duration(self, count: int) -> float:
        """Return the seconds that bytes need on the wire."""
        return count * _BITS_PER_BYTE / self._baudrate

    def lost(self) -> PortError:
        """Return the error for a lost connection."""
        return PortError(f"The connection to {self.name} was lost")

    def _received(self, data: bytes) -> None:
        self._statistics.bytes_received += len(data)
        self._receive(data)
        now = self._clock.time()
        if now - self._counted_since >= 1:
            self._counted_since, self._count = now, 0
        self._count += len(data)
        if self._count > _FLOOD and self._line is not None and self._pause is None:
            _LOGGER.debug("Port %s is flooded", self.name)
            self._pause = asyncio.create_task(self._pause_reading(self._line))

    async def _pause_reading(self, line: _Line) -> None:
        """Leave a flood to the other side for a second."""
        try:
            line.transport.pause_reading()
            await self._clock.sleep(1.0)
            if not line.is_lost:
                line.transport.resume_reading()
        except _PORT_ERRORS as err:
            _LOGGER.debug("Port %s cannot be paused: %s", self.name, err)
        finally:
            self._pause = None

    async def _open(self) -> None:
        """Open the port."""
        if self._is_closed:
            raise PortError(f"The port {self.name} was closed")
        loop = asyncio.get_running_loop()
        line = _Line(self._received, self.news)
        try:
            async with self._clock.timeout(_OPEN_TIME):
                line.transport, _ = await serialx.create_serial_connection(
                    loop, lambda: line, self._url, baudrate=self._baudrate
                )
        except Exception as err:
            # Transports that others register with serialx may raise anything.
            reason = str(err) or f"no answer within {_OPEN_TIME:.0f} s"
            raise PortError(f"The port {self.name} does not open: {reason}") from err
        self._line = line
        self._has_control_lines = await self._raise_control_lines(line)

    async def _raise_control_lines(self, line: _Line) -> bool:
        """Raise RTS and DTR, if this port has them; return whether it has any.

        They are raised one at a time: a serial proxy that lacks one of them refuses a
        request for both. serialx repeats a refused line in its next request, so that
        line is dropped there.
        """
        rts = await self._set_control_lines(line, rts=True)
        dtr = await self._set_control_lines(line, rts=rts, dtr=self._dtr)
        return rts or dtr

    async def _set_control_lines(
        self, line: _Line, *, rts: bool, dtr: bool | None = None
    ) -> bool:
        """Raise or drop RTS and DTR (None: leave it); return whether the port did."""
        try:
            async with self._clock.timeout(_CONTROL_TIME):
                await line.transport.set_modem_pins(rts=rts, dtr=dtr)
        except _PORT_ERRORS as err:
            _LOGGER.debug("Port %s refuses control lines: %s", self.name, err)
            return False
        return True

    async def _close(self) -> None:
        """Close the connection, if any, and wait briefly for its end."""
        line, self._line = self._line, None
        if self._pause is not None:
            self._pause.cancel()
        if line is None:
            return
        try:
            line.transport.close()
            async with self._clock.timeout(_CLOSE_TIME):
                await line.transport.wait_closed()
        except _PORT_ERRORS as err:
            _LOGGER.debug("Port %s closed with an error: %s", self.name, err)
            line.transport.abort()
