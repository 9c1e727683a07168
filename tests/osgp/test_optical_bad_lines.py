"""The client at the simulated optical port, whatever the port and the line are like.

Both were written from the guides, apart from each other.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from osgp import Access, KeyRefusedError, Meter, MeterError, MeterPort, TlsRequiredError
from tests.driven_clock import driven_clock
from tests.simulator import (
    DEFAULT_KEY,
    PROFILES,
    OpticalPort,
    OpticalSettings,
    SimulatedMeter,
    serve_tcp,
)
from tests.simulator.optical import READ_KEY, FirstPacket, Right

WRONG_KEY = b"x" * 20
PLAIN = OpticalSettings()


@asynccontextmanager
async def served(
    optical: OpticalPort, key: bytes = READ_KEY, *, at_mep: bool = False
) -> AsyncIterator[Meter]:
    """Open a meter at its optical port, or at its MEP."""
    clock = driven_clock()
    async with serve_tcp(
        optical.meter if at_mep else optical, timers=driven_clock()
    ) as url:
        if at_mep:
            meter = await Meter.open(Access(url, DEFAULT_KEY), clock=clock)
        else:
            meter = await Meter.open(
                Access(url, key, port=MeterPort.OPTICAL), clock=clock
            )
        try:
            yield meter
        finally:
            await meter.close()


def port_of(
    settings: OpticalSettings = PLAIN, *, profile: str = "gen3", seed: int = 1
) -> OpticalPort:
    """Return the optical port of a meter whose registers stand still."""
    simulated = SimulatedMeter(PROFILES[profile], paced=False)
    simulated.freeze()
    return OpticalPort(simulated, settings, seed=seed)


async def at_mep(optical: OpticalPort) -> Mapping[str, float]:
    """Return what the meter tells by its MEP."""
    async with served(optical, at_mep=True) as meter:
        return (await meter.read()).values


@pytest.mark.parametrize("profile", ["gen3", "gen4"])
@pytest.mark.parametrize("echoes", [False, True])
@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        replace(PLAIN, first_packet=FirstPacket.LOST),
        replace(PLAIN, first_packet=FirstPacket.TAKEN, identifies_fully=False),
        replace(PLAIN, alternates=False),
        replace(PLAIN, negotiates=False),
        replace(PLAIN, packet_size=64, most_packets=1),
        replace(PLAIN, packet_size=512, most_packets=4, alternates=False),
        replace(PLAIN, answers_in_base=False),
        replace(PLAIN, unlisted=Right.PROVISIONING),
        replace(PLAIN, reply_delay=1.9),
    ],
)
async def test_ports(profile: str, echoes: bool, settings: OpticalSettings) -> None:
    """Ports that differ where nobody knows how they are: the same readings."""
    optical = port_of(settings, profile=profile)
    optical.echoes = echoes
    expected = await at_mep(optical)
    async with served(optical) as meter:
        for _ in range(2):
            assert (await meter.read()).values == expected
    assert optical.session.state.value == "base"
    assert optical.keys.refused == 0


@pytest.mark.parametrize("echoes", [False, True])
@pytest.mark.parametrize(
    "fault",
    [
        "lose_ack:probability=.1",
        "lose_client_ack:probability=.1",
        "lose_request:probability=.1",
        "lose_reply:probability=.1",
        "double:probability=.2",
        "double_request:probability=.2",
        "stray",
        "stray:replace=true",
        "stray:count=3",
        "pause:probability=.1",
        "nak:probability=.1",
        "corrupt:probability=.1",
        "truncate:probability=.1",
        "drop_byte:probability=.1",
        "insert_noise:probability=.3",
        "insert_noise:probability=.1,data=ee,at=9",
        "late:probability=.2,seconds=1.7",
        "stale:probability=.1",
        "refuse:probability=.1,code=6",
        "refuse:times=1,skip=9,code=9",
        "restart:skip=12",
    ],
)
async def test_faults(fault: str, echoes: bool) -> None:
    """One kind of trouble all the time: the same readings, sooner or later."""
    optical = port_of()
    optical.echoes = echoes
    expected = await at_mep(optical)
    async with served(optical) as meter:
        active = optical.add_fault(fault)
        for _ in range(5):
            assert (await meter.read()).values == expected
            await driven_clock().sleep(10)
        optical.clear_faults()
        assert (await meter.read()).values == expected
    assert active.hits


@pytest.mark.parametrize("kind", ["flip", "lose", "double"])
@pytest.mark.parametrize("rate", [1e-3, 4e-3])
async def test_noise(rate: float, kind: str) -> None:
    """Damage anywhere, both ways: no wrong value, and no session that is stuck."""
    optical = port_of(seed=7)
    expected = await at_mep(optical)
    good = 0
    async with served(optical) as meter:
        optical.noise.rate, optical.noise.kinds = rate, (kind,)
        for _ in range(60):
            await driven_clock().sleep(10)
            try:
                assert (await meter.read()).values == expected
            except MeterError:
                continue
            good += 1
        optical.clear_faults()
        await driven_clock().sleep(300)
        assert (await meter.read()).values == expected
    assert optical.noise.hits > 10
    assert good > 50
    assert optical.counts["cut_sessions"] == optical.keys.refused == 0


async def test_head_that_is_off_for_ten_minutes() -> None:
    """Reading is back by itself when the head is."""
    optical = port_of()
    expected = await at_mep(optical)
    clock = driven_clock()
    async with served(optical) as meter:
        assert (await meter.read()).values == expected
        optical.is_attached = False
        off_until = clock.time() + 600
        while clock.time() < off_until:
            with pytest.raises(MeterError):
                await meter.read()
            await clock.sleep(10)
        optical.is_attached = True
        for _ in range(40):
            await clock.sleep(10)
            try:
                assert (await meter.read()).values == expected
            except MeterError:
                continue
            break
        else:
            pytest.fail("reading does not come back")
    assert clock.time() - off_until < 330


@pytest.mark.parametrize("interval", [5, 60])
@pytest.mark.parametrize("profile", ["gen3", "gen4"])
async def test_sessions_end_before_the_meter_ends_them(
    profile: str, interval: int
) -> None:
    """Twice its limit of polls: no session over its limit, and none that times out."""
    settings = replace(PLAIN, limits_sessions=True)
    optical = port_of(settings, profile=profile)
    async with served(optical) as meter:
        for _ in range(1300 // interval):
            await driven_clock().sleep(interval)
            await meter.read()
    assert optical.counts["cut_sessions"] == 0
    assert optical.counts["timed_out_sessions"] == 0
    assert optical.counts["lost_sessions"] == 0


@pytest.mark.parametrize("code", [1, 2, 3, 4, 7, 8])
@pytest.mark.parametrize(
    "fault", [None, "lose_ack", "double_request", "lose_client_ack:probability=.5"]
)
async def test_wrong_key_is_tried_once(code: int, fault: str | None) -> None:
    """Whatever the answer, and whatever is lost: the meter counts one refused key."""
    optical = port_of(replace(PLAIN, wrong_key_code=code))
    if fault:
        optical.add_fault(fault)
    with pytest.raises(KeyRefusedError):
        async with served(optical, WRONG_KEY):
            pass
    assert optical.keys.refused == 1
    assert optical.meter.alarm_names() == ["invalid_password"]


async def test_port_that_requires_tls() -> None:
    """It is told; no key is sent to it."""
    optical = port_of(replace(PLAIN, requires_tls=True))
    with pytest.raises(TlsRequiredError):
        async with served(optical):
            pass
    assert optical.keys.refused == 0
    assert 0x51 not in {request.code for request in optical.requests}
