"""The optical port of the simulated meter in trouble: it is read again, and not wrongly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

import pytest

from osgp import Access, KeyRefusedError, Meter, MeterError, MeterPort, TlsRequiredError
from osgp.requests import PartialRead
from tests.driven_clock import driven_clock
from tests.simulator import (
    DEFAULT_KEY,
    EVERY_PROFILE,
    OpticalPort,
    OpticalSettings,
    SimulatedMeter,
    serve_tcp,
)
from tests.simulator.optical import OPTICAL_KINDS, READ_KEY, FirstPacket

_NOW = datetime(2026, 2, 17, 18, 40, 30, tzinfo=UTC)
_KEYS = ("energy_import", "energy_export", "power_import", "voltage_l1")


def _port(profile: str = "gen4", **settings: object) -> OpticalPort:
    simulated = SimulatedMeter(EVERY_PROFILE[profile], paced=False)
    simulated.freeze(_NOW)
    return OpticalPort(simulated, settings=OpticalSettings(**settings))  # type: ignore[arg-type]


@asynccontextmanager
async def _opened(optical: OpticalPort, key: bytes = READ_KEY) -> AsyncIterator[Meter]:
    async with serve_tcp(optical, timers=driven_clock()) as url:
        meter = await Meter.open(
            Access(url, key, port=MeterPort.OPTICAL), clock=driven_clock()
        )
        try:
            yield meter
        finally:
            await meter.close()


@pytest.mark.parametrize("lock_after", [0, 1])
async def test_a_wrong_key_is_tried_once(lock_after: int) -> None:
    """The meter's own counter says so."""
    optical = _port(lock_after=lock_after)
    with pytest.raises(KeyRefusedError):
        async with _opened(optical, b"not the key of this."):
            pass
    assert optical.keys.refused == 1


async def test_the_key_of_the_mep_is_no_key_here() -> None:
    """It is refused as any other wrong key, once."""
    optical = _port()
    with pytest.raises(KeyRefusedError, match="read-only key"):
        async with _opened(optical, DEFAULT_KEY):
            pass
    assert optical.keys.refused == 1


async def test_port_that_requires_tls() -> None:
    """It is recognised without showing it the key."""
    optical = _port(requires_tls=True)
    with pytest.raises(TlsRequiredError):
        async with _opened(optical):
            pass
    assert optical.keys.refused == 0


@pytest.mark.parametrize("first_packet", FirstPacket)
@pytest.mark.parametrize("profile", ["fw_2_10", "gen3"])
async def test_shared_uart(profile: str, first_packet: FirstPacket) -> None:
    """The first packet may be refused or lost; the session ends soon after a poll."""
    optical = _port(profile, first_packet=first_packet)
    async with _opened(optical) as meter:
        for _ in range(3):
            readings = await meter.read(_KEYS)
            assert readings.values.keys() == set(_KEYS)
            assert optical.takes_uart()
            await driven_clock().sleep(10)
            assert not optical.takes_uart()
        assert meter.statistics.sequence_resyncs == 0


@pytest.mark.parametrize("settings", [{"negotiates": False}, {"packet_size": 512}])
@pytest.mark.parametrize("alternates", [True, False])
@pytest.mark.parametrize("echoes", [True, False])
async def test_heads_and_meters(
    settings: dict[str, object], alternates: bool, echoes: bool
) -> None:
    """Each of them is read without a repetition."""
    optical = _port(alternates=alternates, **settings)
    optical.echoes = echoes
    async with _opened(optical) as meter:
        readings = await meter.read()
        assert not readings.errors
        assert meter.statistics.resent == 0
        assert meter.statistics.digest_failures == 0


@pytest.mark.parametrize("kind", sorted(set(OPTICAL_KINDS) - {"change_key"}))
@pytest.mark.parametrize("alternates", [True, False])
async def test_faults(kind: str, alternates: bool) -> None:
    """Whatever goes wrong now and then: right values, and reading goes on."""
    optical = _port(alternates=alternates)
    async with _opened(optical) as meter:
        expected = (await meter.read(_KEYS)).values
        fault = optical.add_fault(f"{kind}:probability=0.1")
        answered = 0
        for _ in range(12):
            with suppress(MeterError):
                values = (await meter.read(_KEYS)).values
                assert values == {key: expected[key] for key in values}
                answered += 1
            await driven_clock().sleep(10)
        assert fault.hits
        assert answered
        optical.clear_faults()
        await driven_clock().sleep(400)
        assert (await meter.read(_KEYS)).values == expected


@pytest.mark.parametrize("rate", [1e-4, 1e-3])
@pytest.mark.parametrize("echoes", [True, False])
async def test_damaged_bytes(rate: float, echoes: bool) -> None:
    """No wrong value, and no session that is stuck."""
    optical = _port(packet_size=512)
    optical.echoes = echoes
    async with _opened(optical) as meter:
        whole = await meter.read_table(23)
        optical.noise.rate = rate
        answered = 0
        for offset in range(60):
            with suppress(MeterError):
                data = await meter.request(PartialRead(23, offset, 40))
                assert data == whole[offset : offset + 40]
                answered += 1
        assert answered > 50
        optical.noise.rate = 0.0


async def test_head_that_is_taken_off_for_ten_minutes() -> None:
    """The port is asked seldom meanwhile, and read again within minutes."""
    optical = _port()
    clock = driven_clock()
    async with _opened(optical) as meter:
        expected = (await meter.read(_KEYS)).values
        optical.is_attached = False
        sent = meter.statistics.requests
        until = clock.time() + 600
        while clock.time() < until:
            with pytest.raises(MeterError):
                await meter.read(_KEYS)
            await clock.sleep(10)
        assert meter.statistics.requests - sent < 40
        optical.is_attached = True
        back_at = clock.time()
        while True:
            with suppress(MeterError):
                assert (await meter.read(_KEYS)).values == expected
                break
            await clock.sleep(10)
        assert clock.time() - back_at < 330


async def test_hold_off_of_the_meter() -> None:
    """A meter that ends a session and ignores the port is found again."""
    optical = _port(limits_sessions=True, session_limit=100)
    clock = driven_clock()
    async with _opened(optical) as meter:
        expected = (await meter.read(_KEYS)).values
        failed_at = None
        while clock.time() < 900:
            try:
                assert (await meter.read(_KEYS)).values == expected
            except MeterError:
                failed_at = failed_at or clock.time()
            else:
                if failed_at:
                    break
            await clock.sleep(3)
        assert failed_at
        assert clock.time() - failed_at < 700
    assert optical.keys.refused == 0


async def test_day_of_polls_meets_no_hold_off() -> None:
    """Sessions end by logging off before the meter would end them."""
    optical = _port(limits_sessions=True)
    clock = driven_clock()
    async with _opened(optical) as meter:
        while clock.time() < 4 * 3600:
            assert not (await meter.read(("power_import",))).errors
            await clock.sleep(60)
        assert meter.statistics.sequence_resyncs == 0


async def test_changed_layout_is_noticed_in_the_next_session() -> None:
    """BT21 and BT22 are compared, as the interface version is out of reach."""
    optical = _port("gen3")
    async with _opened(optical) as meter:
        await meter.read(_KEYS)
        layouts, registers = meter.layouts, set(meter.registers)
        await driven_clock().sleep(30)
        await meter.read(_KEYS)
        assert meter.layouts == layouts
        assert meter.sessions > 1

        optical.meter.change_profile("gen3_demand")
        await driven_clock().sleep(30)
        readings = await meter.read(_KEYS)
        assert meter.layouts == layouts + 1
        assert set(meter.registers) > registers
        assert readings.values.keys() == set(_KEYS)
