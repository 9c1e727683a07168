"""Places where a client finds a port of the meter: TCP, or a pseudo-terminal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
import os
import pty
import tty
from typing import override

from .line import Line, Timers
from .meter import SimulatedMeter
from .optical import OpticalLine, OpticalPort

type ServedPort = SimulatedMeter | OpticalPort
"""A meter stands for its MEP."""


class _Client(asyncio.Protocol):
    """One TCP connection; a new one takes the line over from the one before."""

    def __init__(self, server: "_Server") -> None:
        self._server = server
        self.transport: asyncio.Transport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.take_over(self, transport)

    @override
    def data_received(self, data: bytes) -> None:
        if self._server.client is self:
            self._server.line.feed(data)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if self._server.client is self:
            self._server.client = None
            self._server.line.disconnect()


class _Server:
    """A serial server: one line, one client at a time."""

    def __init__(self, line: Line | OpticalLine) -> None:
        self.line = line
        self.client: _Client | None = None

    def take_over(self, client: _Client, transport: asyncio.Transport) -> None:
        """Let a new client have the line."""
        self.hang_up()
        self.client = client
        self.line.connect(transport.write, transport.close)

    def hang_up(self) -> None:
        """Drop the present client."""
        if self.client and self.client.transport:
            self.client.transport.abort()
        self.client = None
        self.line.disconnect()


def _line(served: ServedPort, timers: Timers) -> Line | OpticalLine:
    if isinstance(served, OpticalPort):
        return OpticalLine(served, timers)
    return Line(served, timers)


@asynccontextmanager
async def serve_tcp(
    served: ServedPort,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    timers: Timers | None = None,
) -> AsyncIterator[str]:
    """Serve a meter's MEP or optical port on TCP and give its URL, ``socket://host:port``.

    Its bytes are paced by timers, those of the event loop if no others are given; both
    ports of a meter need the same.
    """
    loop = asyncio.get_running_loop()
    line = _line(served, timers or loop)
    server = _Server(line)
    listener = await loop.create_server(lambda: _Client(server), host, port)
    try:
        bound_host, bound_port, *_ = listener.sockets[0].getsockname()
        yield f"socket://{bound_host}:{bound_port}"
    finally:
        listener.close()
        server.hang_up()
        await listener.wait_closed()
        line.close()


@asynccontextmanager
async def serve_pty(served: ServedPort) -> AsyncIterator[str]:
    """Serve a meter's MEP or optical port on a pseudo-terminal and give the path of the client's end.

    The client's end is kept open here too, so that it can be closed and opened again.
    A pty cannot be cut: there the fault ``disconnect`` only ends the reply early.
    """
    loop = asyncio.get_running_loop()
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    line = _line(served, loop)

    def receive() -> None:
        with suppress(BlockingIOError, OSError):
            line.feed(os.read(master, 4096))

    def send(data: bytes) -> None:
        with suppress(BlockingIOError):  # nobody reads: lost, as on a wire
            os.write(master, data)

    line.connect(send, lambda: None)
    loop.add_reader(master, receive)
    try:
        yield os.ttyname(slave)
    finally:
        loop.remove_reader(master)
        line.close()
        os.close(master)
        os.close(slave)
