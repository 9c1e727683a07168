"""The modes of security as a whole: RC4 meters, names of modes, hidden keys."""

from collections.abc import AsyncIterator

import pytest

from osgp import (
    Access,
    KeyKind,
    KeyRefusedError,
    Meter,
    SecurityMode,
    TlsError,
    UnverifiedReplyError,
    parse_key,
)
from osgp.key import MepKey
from osgp.mep.security import Envelope, Security
from osgp.mep.security.digest import DigestSecurity
from osgp.mep.security.modes import make_security
from osgp.mep.security.rc4 import Rc4Security
from osgp.mep.security.tls import TlsSecurity
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, Fault, SimulatedMeter
from tests.tls.tapped_line import TappedLine, tap

from .test_meter import assert_true


@pytest.fixture
async def line(url: str) -> AsyncIterator[tuple[TappedLine, str]]:
    """A man in the middle, and the address at which he listens."""
    async with tap(url) as tapped:
        yield tapped


@pytest.fixture
async def meter(url: str) -> AsyncIterator[Meter]:
    """An open client of the simulated meter, with RC4."""
    opened = await _open(url)
    yield opened
    await opened.close()


async def _open(url: str, key: bytes = DEFAULT_KEY) -> Meter:
    return await Meter.open(
        Access(url, key, security=SecurityMode.RC4), clock=driven_clock()
    )


@pytest.mark.parametrize(
    ("mode", "kind", "capacity", "numbered"),
    [
        (SecurityMode.DIGEST, DigestSecurity, 465, True),
        (SecurityMode.RC4, Rc4Security, 465, True),
        (SecurityMode.TLS, TlsSecurity, 443, False),
    ],
)
def test_modes(
    mode: SecurityMode, kind: type[Security], capacity: int, numbered: bool
) -> None:
    """Each name makes its mode, with the capacity of its messages."""
    security = make_security(mode, DEFAULT_KEY, KeyKind.ADVANCED)
    assert type(security) is kind
    assert security.reply_capacity == capacity
    assert security.numbered is numbered
    assert security.established is numbered
    assert security.farewell() is None
    for secret in (DEFAULT_KEY.decode(), DEFAULT_KEY.hex()):
        assert secret not in repr(security)
        assert secret not in repr(vars(security))


def test_no_request_without_a_session() -> None:
    """TLS seals nothing before a handshake."""
    with pytest.raises(TlsError):
        TlsSecurity(DEFAULT_KEY).seal(b"\x3f", 1)


async def test_reply_longer_than_messages_are() -> None:
    """What is longer than a meter's longest message is not looked at."""

    async def exchange(envelope: Envelope) -> bytes:
        return envelope.open(bytes(477))

    with pytest.raises(UnverifiedReplyError, match="longer"):
        await TlsSecurity(DEFAULT_KEY).establish(exchange)


def test_keys_do_not_show() -> None:
    """A key is its bytes, and does not show them by itself."""
    key = parse_key(DEFAULT_KEY.decode())
    assert key == DEFAULT_KEY
    assert isinstance(key, MepKey)
    for text in (repr(key), str(key), f"{key}", repr([key]), f"{key!r}"):
        assert DEFAULT_KEY.decode() not in text
        assert "16 bytes" in text


async def test_rc4_reads(meter: Meter, simulated: SimulatedMeter) -> None:
    """Everything is read encrypted, and true."""
    for _ in range(5):
        readings = await meter.read()
        assert not readings.errors
        assert_true(meter, readings, simulated)
    assert meter.statistics.sequence_resyncs == 1
    assert meter.statistics.tls_handshakes == 0


async def test_rc4_hides_the_readings(line: tuple[TappedLine, str]) -> None:
    """No request or reply is legible on the line, "invalid number" included."""
    tapped, url = line
    meter = await _open(url)
    clock = await meter.read_table(52)
    data = await meter.read_table(23)
    await meter.close()
    for message in (*tapped.requests, *tapped.replies):
        assert clock[:6] not in message
        assert data[:8] not in message
    heads = {request[:3] for request in tapped.requests}
    assert len(heads) > len(tapped.requests) / 2  # not the same few codes and tables


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="lose_reply", times=1),
        Fault(kind="corrupt", times=3),
        Fault(kind="stale"),
        Fault(kind="refuse", code=0x0B, times=1),
        Fault(kind="refuse", code=0x0C, times=1),
        Fault(kind="sequence_jump"),
        Fault(kind="restart", seconds=0.05),
        Fault(kind="disconnect", times=1),
    ],
    ids=lambda fault: fault.kind,
)
async def test_rc4_is_mended(
    meter: Meter, simulated: SimulatedMeter, fault: Fault
) -> None:
    """The recovery ladder is that of the digest."""
    await meter.read()
    active = simulated.add_fault(fault)
    readings = await meter.read()
    active.remove()
    assert active.hits
    assert not readings.errors
    assert_true(meter, readings, simulated)


@pytest.mark.parametrize("bare", [True, False])
async def test_rc4_wrong_key(simulated: SimulatedMeter, url: str, bare: bool) -> None:
    """A wrong key is told as such."""
    simulated.bare_authentication_failure = bare
    with pytest.raises(KeyRefusedError):
        await _open(url, b"not the right 16")


async def test_rc4_damage_for_good(meter: Meter, simulated: SimulatedMeter) -> None:
    """Replies that are never genuine end in an error."""
    simulated.add_fault(Fault(kind="corrupt", at=-1))
    with pytest.raises(UnverifiedReplyError):
        await meter.read_clock()


async def test_rc4_never_becomes_plain(line: tuple[TappedLine, str]) -> None:
    """A meter that answers nothing but plain refusals gets no plain request."""
    tapped, url = line
    tapped.answer = lambda message: b"\x0b"
    with pytest.raises(KeyRefusedError):
        await _open(url)
    plain = bytes.fromhex("3f0803"), bytes.fromhex("3f0034")
    assert not any(request.startswith(plain) for request in tapped.requests)
