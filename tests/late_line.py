"""A TCP line that hands on what the meter says later than it says it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from .driven_clock import DrivenClock


@asynccontextmanager
async def late_line(
    url: str, clock: DrivenClock, delay: Callable[[], float]
) -> AsyncIterator[str]:
    """Put a line between a client and the meter at a URL, and give its own URL.

    Whatever the meter sends arrives after delay(), in seconds by the clock.
    """
    host, _, port = url.removeprefix("socket://").rpartition(":")
    writers: list[asyncio.StreamWriter] = []

    async def relay(
        client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        meter, to_meter = await asyncio.open_connection(host, int(port))
        writers.extend((to_client, to_meter))

        async def forward() -> None:
            while data := await client.read(1024):
                to_meter.write(data)
            to_meter.close()

        def deliver(data: bytes) -> None:
            if not to_client.is_closing():
                to_client.write(data)

        forwarding = asyncio.create_task(forward())
        while data := await meter.read(1024):
            clock.call_later(delay(), partial(deliver, data))
        await forwarding

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        try:
            yield "socket://{}:{}".format(*server.sockets[0].getsockname())
        finally:
            for each in writers:
                each.close()
