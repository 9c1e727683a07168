"""Finding out what a port is, and what reading it does to the MEP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from osgp import (
    Access,
    Meter,
    MeterPort,
    NoReplyError,
    PortError,
    negotiate,
    probe_optical,
)
from tests.driven_clock import driven_clock
from tests.simulator import (
    DEFAULT_KEY,
    PROFILES,
    OpticalPort,
    OpticalSettings,
    SimulatedMeter,
    serve_tcp,
)
from tests.simulator.optical import READ_KEY, FirstPacket

from .optical_peer import serve


@asynccontextmanager
async def _served(
    profile: str = "gen4", **settings: object
) -> AsyncIterator[tuple[OpticalPort, str]]:
    optical = OpticalPort(
        SimulatedMeter(PROFILES[profile], paced=False),
        settings=OpticalSettings(**settings),  # type: ignore[arg-type]
    )
    async with serve_tcp(optical, timers=driven_clock()) as url:
        yield optical, url


@pytest.mark.parametrize("first_packet", FirstPacket)
@pytest.mark.parametrize("profile", ["gen3", "gen4"])
async def test_probe(profile: str, first_packet: FirstPacket) -> None:
    """An optical port identifies itself to everybody; the session is ended."""
    async with _served(profile, first_packet=first_packet) as (optical, url):
        assert await probe_optical(url, clock=driven_clock())
        assert [served.code for served in optical.requests] == [0x20, 0x21]
        optical.is_attached = False
        assert not await probe_optical(url, clock=driven_clock())


async def test_probe_of_an_old_session() -> None:
    """A port that only says that it is in another state is one, too."""
    async with _served(requires_tls=True) as (optical, url):
        optical.add_fault("refuse:code=0x0A,request_code=0x20")
        assert await probe_optical(url, clock=driven_clock())
        assert [served.code for served in optical.requests] == [0x20, 0x21]


async def test_probe_of_a_mep() -> None:
    """A MEP is none, and goes on answering."""
    simulated = SimulatedMeter(PROFILES["gen4"], paced=False)
    async with serve_tcp(simulated, timers=driven_clock()) as url:
        assert not await probe_optical(url, clock=driven_clock())
        meter = await Meter.open(Access(url, simulated.key), clock=driven_clock())
        assert not meter.silences_mep
        await meter.close()


async def test_optical_port_is_asked_as_a_mep() -> None:
    """One that takes requests of the MEP for damaged packets has not answered them."""

    async def refuse(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while await reader.read(1024):
            writer.write(b"\x15")

    async with serve(refuse) as url:
        with pytest.raises(NoReplyError) as caught:
            await negotiate(
                lambda mode, kind: Meter.open(
                    Access(url, DEFAULT_KEY, security=mode, key_kind=kind),
                    clock=driven_clock(),
                )
            )
    assert not caught.value.had_reply


async def test_probe_of_no_port() -> None:
    """A port that does not open is an error."""
    with pytest.raises(PortError):
        await probe_optical("socket://127.0.0.1:1", clock=driven_clock())


@pytest.mark.parametrize(("profile", "silences"), [("gen3", True), ("gen4", False)])
async def test_whether_the_mep_is_silenced(profile: str, silences: bool) -> None:
    """Known once the meter is open."""
    async with _served(profile) as (_, url):
        meter = await Meter.open(
            Access(url, READ_KEY, port=MeterPort.OPTICAL), clock=driven_clock()
        )
        assert meter.silences_mep is silences
        await meter.close()
