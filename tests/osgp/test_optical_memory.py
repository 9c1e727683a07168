"""What one link to an optical port leaves to the next: keys, and peace."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from osgp import (
    Access,
    KeyRefusedError,
    Meter,
    MeterError,
    MeterPort,
    NoReplyError,
    OpticalMemory,
)
from tests.driven_clock import driven_clock
from tests.simulator import PROFILES, OpticalPort, SimulatedMeter, serve_tcp
from tests.simulator.optical import READ_KEY

_WRONG = b"not the key of this."


@asynccontextmanager
async def _served() -> AsyncIterator[tuple[OpticalPort, str]]:
    optical = OpticalPort(SimulatedMeter(PROFILES["gen4"], paced=False))
    async with serve_tcp(optical, timers=driven_clock()) as url:
        yield optical, url


async def _open(url: str, key: bytes, memory: OpticalMemory) -> None:
    meter = await Meter.open(
        Access(url, key, port=MeterPort.OPTICAL, optical_memory=memory),
        clock=driven_clock(),
    )
    await meter.close()


async def test_a_refused_key_is_not_shown_by_another_link() -> None:
    """Not one byte is sent; another key is shown, and this one if a person says so."""
    memory = OpticalMemory()
    async with _served() as (optical, url):
        with pytest.raises(KeyRefusedError) as first:
            await _open(url, _WRONG, memory)
        heard = optical.counts["bytes_received"]
        for key in (_WRONG, _WRONG + b"\0"):
            with pytest.raises(KeyRefusedError) as again:
                await _open(url, key, memory)
            assert str(again.value) == str(first.value)
        assert optical.counts["bytes_received"] == heard
        await _open(url, READ_KEY, memory)
        with pytest.raises(KeyRefusedError):
            await _open(url, _WRONG, memory)
        assert optical.keys.refused == 1
        memory.allow(_WRONG)
        with pytest.raises(KeyRefusedError):
            await _open(url, _WRONG, memory)
        assert optical.keys.refused == 2
    assert _WRONG.decode() not in f"{vars(memory)}"


async def test_a_refusal_from_before_a_restart() -> None:
    """Whoever stores a refusal tells the next memory of it."""
    memory = OpticalMemory()
    assert memory.refusal(READ_KEY) is None
    memory.recall(READ_KEY, "it was refused")
    async with _served() as (optical, url):
        with pytest.raises(KeyRefusedError, match="it was refused"):
            await _open(url, READ_KEY, memory)
        assert optical.counts["bytes_received"] == 0
        assert memory.refusal(READ_KEY) == "it was refused"
        assert memory.refusal(_WRONG) is None
        memory.allow(READ_KEY)
        memory.recall(READ_KEY, "it was refused")
        await _open(url, READ_KEY, memory)


@pytest.mark.parametrize("fault", ["lose_reply:", "corrupt:at=0,"])
async def test_an_unanswered_key(fault: str) -> None:
    """Twice without an answer counts as a refusal, whichever links showed the key."""
    memory = OpticalMemory()
    async with _served() as (optical, url):
        optical.add_fault(f"{fault}request_code=0x51")
        for _ in range(20):
            with pytest.raises(MeterError):
                await _open(url, READ_KEY, memory)
            await driven_clock().sleep(10)
        with pytest.raises(KeyRefusedError):
            await _open(url, READ_KEY, memory)
        assert sum(served.code == 0x51 for served in optical.requests) == 2
        optical.clear_faults()
        memory.allow(READ_KEY)
        await _open(url, READ_KEY, memory)


async def test_a_port_is_left_in_peace_by_the_next_link() -> None:
    """It is asked twice, then after a minute, then after five."""
    memory, clock = OpticalMemory(), driven_clock()
    async with _served() as (optical, url):
        optical.is_attached = False
        knocks: list[float] = []
        heard = 0
        while clock.time() < 800:
            with pytest.raises(NoReplyError):
                await _open(url, READ_KEY, memory)
            if optical.counts["bytes_received"] != heard:
                heard = optical.counts["bytes_received"]
                knocks.append(clock.time())
            await clock.sleep(5)
        optical.is_attached = True
        await clock.sleep(300)
        await _open(url, READ_KEY, memory)
        optical.is_attached = False
        with pytest.raises(NoReplyError):
            await _open(url, READ_KEY, memory)
        with pytest.raises(NoReplyError):
            await _open(url, READ_KEY, memory)
        optical.is_attached = True
        memory.end_peace()
        await _open(url, READ_KEY, memory)
    assert len(knocks) == 5
    assert memory.failures == 0


async def test_a_session_that_was_not_ended_is_given_time() -> None:
    """The next link waits until the meter has forgotten it."""
    memory, clock = OpticalMemory(), driven_clock()
    async with _served() as (optical, url):
        meter = await Meter.open(
            Access(url, READ_KEY, port=MeterPort.OPTICAL, optical_memory=memory),
            clock=clock,
        )
        optical.is_attached = False
        await meter.close()
        optical.is_attached = True
        began_at = clock.time()
        await _open(url, READ_KEY, memory)
        assert clock.time() - began_at > 6
        assert optical.counts["sessions"] == 2


async def test_a_silent_port_is_asked_once_a_poll() -> None:
    """What follows in the same poll would be silence as well."""
    async with _served() as (optical, url):
        meter = await Meter.open(
            Access(url, READ_KEY, port=MeterPort.OPTICAL), clock=driven_clock()
        )
        await driven_clock().sleep(100)
        optical.is_attached = False
        before = driven_clock().time()
        with pytest.raises(NoReplyError):
            await meter.read(("energy_import", "power_import"))
        assert driven_clock().time() - before < 15
        optical.is_attached = True
        assert await meter.read(("energy_import",))
        await meter.close()
