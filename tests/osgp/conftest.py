"""Fixtures of the meter client's tests: a simulated meter on the loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from osgp import Access, Meter
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, SimulatedMeter, serve_pty, serve_tcp


@pytest.fixture(autouse=True)
def loopback(socket_enabled: None) -> None:
    """Let every test of the client use the loopback, whatever the harness forbids."""


@pytest.fixture
def profile() -> str:
    """The profile of the simulated meter; tests override it by a parameter."""
    return "gen3"


@pytest.fixture
def simulated(profile: str) -> SimulatedMeter:
    """A meter that answers at once and whose registers stand still."""
    meter = SimulatedMeter(PROFILES[profile], paced=False)
    meter.freeze()
    return meter


@pytest.fixture
async def url(simulated: SimulatedMeter) -> AsyncIterator[str]:
    """The simulated meter's address."""
    async with serve_tcp(simulated, timers=driven_clock()) as address:
        yield address


@pytest.fixture
async def path(simulated: SimulatedMeter) -> AsyncIterator[str]:
    """The simulated meter's pseudo-terminal."""
    driven_clock().grace = 0.5  # the kernel hands its bytes on when it comes to it
    async with serve_pty(simulated) as path:
        yield path


@pytest.fixture
async def meter(simulated: SimulatedMeter, url: str) -> AsyncIterator[Meter]:
    """An open client of the simulated meter."""
    opened = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    yield opened
    await opened.close()


@asynccontextmanager
async def deaf_server() -> AsyncIterator[str]:
    """Serve a port that accepts and never answers."""

    async def swallow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    async with server:
        yield "socket://{}:{}".format(*server.sockets[0].getsockname())
