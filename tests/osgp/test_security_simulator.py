"""The simulated meter's side of RC4 and TLS."""

import pytest

from tests.simulator import DEFAULT_KEY, PROFILES, SimulatedMeter
from tests.simulator.packet import RequestCode
from tests.simulator.probe import Probe, covered_request, signed
from tests.simulator.protection import open_signed
from tests.simulator.tls import STACKS
from tests.tls.handshakes import IDENTITY, client

from .vectors import VECTORS

_READ_CLOCK = bytes.fromhex("3f0034 000000 0006")


def _meter(*, required: bool = False, stack: str = "mbedtls") -> SimulatedMeter:
    meter = SimulatedMeter(
        PROFILES["gen4"], paced=False, tls=stack, tls_required=required
    )
    meter.freeze()
    return meter


def _ask(meter: SimulatedMeter, code: int, records: bytes = b"\0") -> bytes:
    """Send a message and return the reply without its length."""
    (frame,) = meter.exchange(code.to_bytes() + records).frames
    assert int.from_bytes(frame[:2]) == len(frame) - 2
    return frame[2:]


@pytest.mark.parametrize("vector", VECTORS["rc4"]["vectors"])
def test_rc4_vectors(vector: dict[str, str]) -> None:
    """Requests are opened and replies made as the vectors say."""
    key = bytes.fromhex(vector["key"])
    opened = open_signed(bytes.fromhex(vector["request_frame"])[2:], (bytes(16), key))
    assert opened.key == key
    assert opened.request.covered.hex() == vector["request_plain"]
    reply = opened.seal(bytes.fromhex(vector["reply_plain"]))
    assert reply.hex() == vector["reply_frame"][4:]


def test_what_verifies_in_no_way() -> None:
    """Plain or encrypted: a digest that fits no key is refused."""
    message = bytes.fromhex(VECTORS["rc4"]["vectors"][0]["request_frame"])[2:]
    assert open_signed(message, (DEFAULT_KEY,)).key is None


@pytest.mark.parametrize("stack", STACKS)
def test_session(stack: str) -> None:
    """Codes 58 and 59 make a session, 80 uses it, 57 ends it."""
    meter = _meter(stack=stack)
    handshake = client(DEFAULT_KEY, IDENTITY)
    assert _ask(meter, RequestCode.TLS_PACKET, handshake.hello) == b"\x0a"
    assert _ask(meter, RequestCode.TLS_CONTINUE, handshake.hello) == b"\x0a"
    hello = _ask(meter, RequestCode.TLS_HELLO, handshake.hello)
    done = _ask(meter, RequestCode.TLS_CONTINUE, handshake.answer(hello[1:]))
    session = handshake.finish(done[1:])
    reply = _ask(meter, RequestCode.TLS_PACKET, session.seal(_READ_CLOCK))
    clock = meter.table(52)
    assert clock
    assert session.open(reply[1:]) == bytes.fromhex("000006") + clock[:6]
    assert (meter.requests[-1].code, meter.requests[-1].table) == (0x3F, 52)
    # No digest requests while a session is up, not even good ones.
    signed_request = signed(covered_request(0x3F, 52, meter.sequence + 1, 0, 6))
    assert meter.exchange(signed_request).frames == [b"\0\1\1"]
    assert _ask(meter, RequestCode.TLS_TERMINATE) == b"\0"
    assert _ask(meter, RequestCode.TLS_PACKET, handshake.hello) == b"\x0a"
    assert Probe(meter).read(52, 0, 6) == clock[:6]


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("sends_alerts", [True, False])
def test_refusals(stack: str, sends_alerts: bool) -> None:
    """A wrong key is 03, nonsense is 01; or an alert says it, if there is one."""
    meter = _meter(stack=stack)
    assert meter.tls
    meter.tls.sends_alerts = sends_alerts
    handshake = client(b"another key 1234")
    hello = _ask(meter, RequestCode.TLS_HELLO, handshake.hello)
    answer = handshake.answer(hello[1:])
    refused = _ask(meter, RequestCode.TLS_CONTINUE, answer)
    assert refused == (bytes.fromhex("0015030300020214") if sends_alerts else b"\3")
    nonsense = _ask(meter, RequestCode.TLS_HELLO, b"\x16\x03\x03\x00\x04\x0e\0\0\0")
    assert nonsense == b"\1" or (sends_alerts and nonsense[:2] == b"\0\x15")


def test_tls_required() -> None:
    """Then good digests are of no use, session or not."""
    meter = _meter(required=True)
    request = signed(covered_request(0x3F, 52, meter.sequence + 1, 0, 6))
    assert meter.exchange(request).frames == [b"\0\1\1"]


def test_no_tls() -> None:
    """A meter without TLS takes its codes for requests whose digest is wrong."""
    meter = SimulatedMeter(PROFILES["gen3"], paced=False)
    (frame,) = meter.exchange(b"\x58" + client().hello).frames
    assert frame[2] == 0x0B
    request = signed(bytes([0x58, 0]) + (meter.sequence + 1).to_bytes(4))
    (frame,) = meter.exchange(request).frames
    assert frame[2] == 0x02
