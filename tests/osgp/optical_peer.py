"""The other side of an optical line: it plays a dialogue, or does what a test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from osgp.optical.line import Line
from osgp.optical.packets import Packet, PacketReader, Signal
from osgp.statistics import LinkStatistics
from tests.driven_clock import driven_clock

type Steps = Sequence[tuple[str, bytes]]

_ACK = Signal.ACK.value


@asynccontextmanager
async def serve(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """Serve a line at whose other end there is a talk; return its address."""
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        try:
            yield "socket://{}:{}".format(*server.sockets[0].getsockname())
        finally:
            server.close_clients()


class Dialogue:
    """Plays the meter's part, as long as the client plays its own."""

    def __init__(self, steps: Steps) -> None:
        """Initialize with the steps: who, and which bytes."""
        self._steps = steps
        self.said: list[bytes] = []
        """What the client has said so far."""
        self.is_over = False

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Play the dialogue."""
        for who, expected in self._steps:
            if who != "client":
                writer.write(expected)
                continue
            # An empty step is an acknowledgement that got lost on the way.
            wanted = expected or _ACK
            said = await reader.readexactly(len(wanted[:1]))
            while said == _ACK != wanted[:1]:  # the public session shows none
                said = await reader.readexactly(1)
            said += await reader.readexactly(len(wanted) - 1)
            self.said.append(said)
            if said != wanted:
                break
        else:
            self.is_over = True
        self.rest = await reader.read()


def requests_in(steps: Steps) -> list[bytes]:
    """Return the requests of a dialogue, repetitions left out."""
    packets: list[bytes] = []
    for who, line in steps:
        if who == "client" and len(line) > 1 and line not in packets[-1:]:
            packets.append(line)
    return [line[6:-2] for line in packets]


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, LinkStatistics]]:
    """Open a line, and begin a session at it."""
    statistics = LinkStatistics()
    line = Line(url, statistics=statistics, clock=driven_clock())

    async def say_nothing() -> None:
        pass

    await line.open()
    try:
        await line.begin()
        yield line, statistics
    finally:
        await line.close(say_nothing, 1)


class Peer:
    """A meter's line, as far as a test needs one: it answers each new request once.

    answer returns the reply to a request, None for silence. Requests are recorded,
    repetitions left out.
    """

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        """Initialize with what it answers."""
        self.requests: list[bytes] = []
        self.signals: list[Signal] = []
        self.copies = 0
        self.alternates = True
        self.head: Callable[[bytes], bytes] = bytes
        """Changes what is sent to the client, packets and signals alike."""
        self.echoes = False
        self._answer = answer
        self._toggle = False
        self._last: Packet | None = None
        self._reply = b""

    async def __call__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer until the client goes."""
        packets = PacketReader()
        packets.longest = 504
        while data := await reader.read(1024):
            if self.echoes:
                writer.write(data)
            for each in packets.feed(data):
                writer.write(self._react(each))

    def _react(self, each: Packet | Signal) -> bytes:
        if isinstance(each, Signal):
            self.signals.append(each)
            return self.head(self._reply) if each is Signal.NAK else b""
        self.copies += 1
        if each == self._last:
            return self.head(_ACK)
        if each.data == b"\x20":
            self._toggle = False
        self._last = each
        self.requests.append(each.data)
        reply = self._answer(each.data)
        if each.data == b"\x21":
            self._last = None
        if reply is None:
            return self.head(_ACK)
        self._reply = Packet(data=reply, toggle=self._toggle).to_bytes()
        self._toggle ^= self.alternates
        return self.head(_ACK) + self.head(self._reply)
