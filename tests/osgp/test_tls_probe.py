"""Finding out whether a meter takes TLS."""

from collections.abc import AsyncIterator

import pytest

from osgp import Access, KeyKind, Meter, probe_tls
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter
from tests.simulator.tls import STACKS, TlsPort
from tests.tls.tapped_line import TappedLine, tap

from .conftest import deaf_server

_ADVANCED_KEY = b"Zq4!mNp8#sKd2@wE"
_HANDSHAKE = {0x57, 0x58, 0x59}


@pytest.fixture
def simulated() -> SimulatedMeter:
    """A meter that takes TLS as well as the old mode."""
    return SimulatedMeter(
        PROFILES["gen4"], advanced_key=_ADVANCED_KEY, paced=False, tls="mbedtls"
    )


@pytest.fixture
async def line(url: str) -> AsyncIterator[tuple[TappedLine, str]]:
    """A man in the middle, and the address at which he listens."""
    async with tap(url) as tapped:
        yield tapped


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (DEFAULT_KEY, KeyKind.BASIC),
        (_ADVANCED_KEY, KeyKind.ADVANCED),
        (b"neither of these", None),
    ],
)
async def test_meter_with_tls(
    simulated: SimulatedMeter,
    line: tuple[TappedLine, str],
    stack: str,
    key: bytes,
    kind: KeyKind | None,
) -> None:
    """A key that fits is found to do so, by nothing but handshakes."""
    simulated.tls = TlsPort(stack, lambda: (DEFAULT_KEY, _ADVANCED_KEY), required=True)
    tapped, url = line
    assert await probe_tls(url, key, clock=driven_clock()) is kind
    assert tapped.codes <= _HANDSHAKE
    assert not simulated.tls.established


async def test_meter_without_tls(
    simulated: SimulatedMeter, line: tuple[TappedLine, str]
) -> None:
    """A meter that knows no TLS refuses the first message, and that is all."""
    simulated.tls = None
    tapped, url = line
    assert await probe_tls(url, DEFAULT_KEY, clock=driven_clock()) is None
    assert tapped.codes == {0x58}
    assert len(tapped.requests) == 1


async def test_nobody_there() -> None:
    """Silence, and a port that does not open, are no TLS."""
    async with deaf_server() as url:
        assert await probe_tls(url, DEFAULT_KEY, clock=driven_clock()) is None
    assert await probe_tls(url, DEFAULT_KEY, clock=driven_clock()) is None


async def test_disturbed_line(simulated: SimulatedMeter, url: str) -> None:
    """A handshake that is damaged is done again."""
    simulated.add_fault(Fault(kind="corrupt", times=1, skip=1))
    assert await probe_tls(url, DEFAULT_KEY, clock=driven_clock()) is KeyKind.BASIC


async def test_beside_the_old_mode(
    simulated: SimulatedMeter, line: tuple[TappedLine, str]
) -> None:
    """An open meter goes on in its mode, and nothing of the probe is its session."""
    tapped, url = line
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    tapped.requests.clear()
    assert await meter.probe_tls(DEFAULT_KEY) is KeyKind.BASIC
    assert [message[0] for message in tapped.requests] == [0x58, 0x59, 0x57]
    await meter.read_clock()
    assert [message[0] for message in tapped.requests[3:]] == [0x3F]
    assert not meter.statistics.tls_handshakes
    await meter.close()
    assert simulated.tls
    assert simulated.tls.handshakes == 1
