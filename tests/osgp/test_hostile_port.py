"""Ports that raise and flood: the client's own errors, and reading goes on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from osgp import Access, Meter, MeterError, PortError
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, SimulatedMeter

_FLOODS = {
    "messages": b"\x01\xdc" + bytes([7] * 476),
    "short messages": b"\0\1x",
    "no messages": b"\xff",
    "alerts": b"\0\0",
}


@asynccontextmanager
async def _flooded(url: str, flood: bytes) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Put a line before a meter that is flooded while the event is set."""
    host, _, port = url.removeprefix("socket://").rpartition(":")
    is_on = asyncio.Event()
    chunk = flood * (65536 // len(flood))

    async def relay(
        client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        meter, to_meter = await asyncio.open_connection(host, int(port))

        async def forward(
            source: asyncio.StreamReader, sink: asyncio.StreamWriter
        ) -> None:
            while data := await source.read(1024):
                sink.write(data)
            sink.close()

        async def pour() -> None:
            for _ in range(64):
                await is_on.wait()
                to_client.write(chunk)
                await to_client.drain()

        pouring = asyncio.create_task(pour())
        await asyncio.gather(forward(client, to_meter), forward(meter, to_client))
        pouring.cancel()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        try:
            yield "socket://{}:{}".format(*server.sockets[0].getsockname()), is_on
        finally:
            server.close_clients()


@pytest.mark.parametrize("flood", _FLOODS.values(), ids=_FLOODS)
async def test_flood(simulated: SimulatedMeter, url: str, flood: bytes) -> None:
    """Megabytes that no meter sends are dropped, and reading goes on after them."""
    async with _flooded(url, flood) as (flooded, is_on):
        meter = await Meter.open(Access(flooded, DEFAULT_KEY), clock=driven_clock())
        right = await meter.read(["energy_import", "power_import"])
        is_on.set()
        for _ in range(3):
            with suppress(MeterError):
                await meter.read(["energy_import"])
        is_on.clear()
        for _ in range(20):
            with suppress(MeterError):
                if await meter.read(["energy_import", "power_import"]) == right:
                    break
        else:
            pytest.fail("Reading does not go on")
        await meter.close()


@pytest.mark.parametrize("url", ["//[", "socket://[", "rfc2217://]/"])
async def test_malformed_url(url: str) -> None:
    """What no port can be is an error of the client too."""
    with pytest.raises(PortError, match="does not open"):
        await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())


async def test_rfc2217_server_that_sends_garbage() -> None:
    """Whatever the transport makes of it, it is an error of the client."""

    async def babble(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writer.write(bytes([255, 251, 99, 255, 253, 200, 255, 250, 44, 250, 1]) * 20)
        await reader.read(64)
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        url = "rfc2217://{}:{}".format(*server.sockets[0].getsockname())
        with pytest.raises(PortError):
            await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
        server.close_clients()
