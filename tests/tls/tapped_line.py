"""A man in the middle of a TCP line, who sees and may replace what goes over it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

type Answer = Callable[[bytes], bytes | None]
"""Returns a reply message, b"" for silence, None to let the meter answer."""


def let_through(_message: bytes) -> bytes | None:
    """Leave the answer to the meter."""
    return None


@dataclass(slots=True)
class TappedLine:
    """What went over the line, as messages without their length."""

    answer: Answer = let_through
    change_reply: Callable[[bytes], bytes] = bytes
    requests: list[bytes] = field(default_factory=list)
    replies: list[bytes] = field(default_factory=list)

    @property
    def codes(self) -> set[int]:
        """The first bytes of all requests."""
        return {message[0] for message in self.requests}


async def _read(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(2) + message


@asynccontextmanager
async def tap(url: str) -> AsyncIterator[tuple[TappedLine, str]]:
    """Put a line between a client and the meter at a URL; give it and its own URL."""
    line = TappedLine()
    host, _, port = url.removeprefix("socket://").rpartition(":")
    clients: list[asyncio.StreamWriter] = []

    async def relay(
        client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        clients.append(to_client)
        meter, to_meter = await asyncio.open_connection(host, int(port))
        try:
            while True:
                request = await _read(client)
                line.requests.append(request)
                if (reply := line.answer(request)) is None:
                    to_meter.write(_framed(request))
                    reply = line.change_reply(await _read(meter))
                if reply:
                    line.replies.append(reply)
                    to_client.write(_framed(reply))
        except (asyncio.IncompleteReadError, OSError):
            pass  # one of the two hung up
        finally:
            to_meter.close()
            to_client.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield line, "socket://{}:{}".format(*server.sockets[0].getsockname())
        for each in clients:
            each.close()
