"""Late is not wrong: replies that come later than the guide allows."""

from itertools import cycle

import pytest

from osgp import Access, KeyKind, Meter, NoReplyError, SecurityMode
from tests.driven_clock import driven_clock
from tests.late_line import late_line
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter

from .test_meter import assert_true

_KEYS = ("energy_import", "power_import", "voltage_l1", "current_l3")
_MODES = pytest.mark.parametrize("mode", list(SecurityMode))


@pytest.fixture
def simulated(mode: SecurityMode) -> SimulatedMeter:
    """A meter that takes every mode and answers at once."""
    meter = SimulatedMeter(
        PROFILES["gen4" if mode is SecurityMode.TLS else "gen3"],
        paced=False,
        tls="mbedtls" if mode is SecurityMode.TLS else None,
    )
    meter.freeze()
    return meter


async def _open(url: str, mode: SecurityMode) -> Meter:
    return await Meter.open(
        Access(url, DEFAULT_KEY, security=mode), clock=driven_clock()
    )


@_MODES
@pytest.mark.parametrize("delay", [0.6, 1.05, 1.5, 2.5, 4.0])
async def test_steadily_late(
    simulated: SimulatedMeter, url: str, mode: SecurityMode, delay: float
) -> None:
    """Up to four seconds of lateness reads, slowly and right."""
    async with late_line(url, driven_clock(), lambda: delay) as late:
        meter = await _open(late, mode)
        readings = await meter.read(_KEYS)
        assert_true(meter, readings, simulated)
        for _ in range(12):
            assert await meter.read(_KEYS) == readings
        assert meter.statistics.authentication_failures == 0
        assert meter.statistics.digest_failures == 0
        assert meter.statistics.hint == ("slow link" if delay > 1 else None)
        # Once the lateness is known, nothing is asked twice.
        resent = meter.statistics.resent
        await meter.read(_KEYS)
        assert meter.statistics.resent == resent
        await meter.close()


@_MODES
@pytest.mark.parametrize("seed", range(3))
async def test_sometimes_late(
    simulated: SimulatedMeter, url: str, mode: SecurityMode, seed: int
) -> None:
    """Where every third reply is late, every poll is whole, and no key is wrong."""
    delays = cycle([0.0] * (seed + 1) + [1.3, 0.0])
    async with late_line(url, driven_clock(), lambda: next(delays)) as late:
        meter = await _open(late, mode)
        readings = await meter.read(_KEYS)
        assert_true(meter, readings, simulated)
        for _ in range(12):
            assert await meter.read(_KEYS) == readings
        await meter.close()


@pytest.mark.parametrize("mode", [SecurityMode.DIGEST, SecurityMode.RC4])
async def test_late_reply_to_an_earlier_request(
    simulated: SimulatedMeter, url: str, mode: SecurityMode
) -> None:
    """It neither costs the present request nor counts as damaged."""
    delays = iter([0.0] * 40)
    lateness = 0.0

    def delay() -> float:
        return lateness or next(delays, 0.0)

    async with late_line(url, driven_clock(), delay) as late:
        meter = await _open(late, mode)
        readings = await meter.read(_KEYS)
        assert_true(meter, readings, simulated)
        lateness = 9.0
        with pytest.raises(NoReplyError):
            await meter.read_clock()
        lateness = 0.0
        for _ in range(8):
            assert await meter.read(_KEYS) == readings
            await driven_clock().sleep(0.7)
        assert meter.statistics.digest_failures == 0
        await meter.close()


@pytest.mark.parametrize("mode", [SecurityMode.DIGEST])
async def test_meter_that_answers_no_number_twice(
    simulated: SimulatedMeter, url: str, mode: SecurityMode
) -> None:
    """A lost reply is asked for with a fresh number when repetitions stay silent."""
    simulated.answers_repetitions = False
    meter = await _open(url, mode)
    simulated.add_fault(Fault(kind="lose_reply", probability=0.15))
    for _ in range(30):
        assert not (await meter.read(_KEYS)).errors
    await meter.close()


@pytest.mark.parametrize("mode", [SecurityMode.TLS])
async def test_lateness_is_no_evidence_about_tls(
    simulated: SimulatedMeter, url: str, mode: SecurityMode
) -> None:
    """A handshake that comes late tells which key it is all the same."""
    async with late_line(url, driven_clock(), lambda: 3.0) as late:
        meter = await _open(late, mode)
        assert await meter.probe_tls(DEFAULT_KEY) is KeyKind.BASIC
        await meter.close()
