"""What the digest does not prove, and how reads do without it."""

from hashlib import shake_128
from typing import Any

from hypothesis import given, strategies as st
import pytest

from osgp import Access, Meter, MeterError, UnverifiedReplyError
from osgp.mep.security import Security
from osgp.mep.security.digest import DigestSecurity
from osgp.mep.security.rc4 import Rc4Security
from osgp.requests import PartialRead
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, SimulatedMeter
from tests.tls.tapped_line import TappedLine, tap

_SECURITIES = [DigestSecurity(DEFAULT_KEY), Rc4Security(DEFAULT_KEY)]


@pytest.mark.parametrize("security", _SECURITIES, ids=["digest", "rc4"])
@given(offset=st.integers(0, 5000), count=st.integers(1, 465))
def test_reads_end_where_the_digest_is_strong(
    security: Security, offset: int, count: int
) -> None:
    """No reply ends in the last bytes of a pass, and nothing is left out."""
    asked, size = security.protected_span(offset, count)
    assert 0 <= asked <= offset
    assert offset < asked + size <= offset + count
    assert 0 < size <= security.reply_capacity
    assert 0 < (15 + size) % 192 < 185


def test_damage_at_the_end_of_a_pass() -> None:
    """The changes that pass in a weak length do not in the lengths that are asked for.

    Equal changes of the last data byte and of the first byte of the digest are the
    likeliest of them.
    """
    security = DigestSecurity(DEFAULT_KEY)

    def noise(number: int) -> Any:
        return shake_128(number.to_bytes(4))

    def accepted(count: int) -> int:
        packet = PartialRead(23, 0, count).to_bytes()
        found = 0
        for number in range(2000):
            envelope = security.seal(packet, number)
            body = b"\0" + count.to_bytes(2) + noise(number).digest(count)
            message = bytearray(
                body + security._key.digest(envelope.message[:-8] + body)
            )
            change = 1 << number % 8
            message[len(body) - 1] ^= change
            message[len(body)] ^= change
            try:
                envelope.open(bytes(message))
            except UnverifiedReplyError:
                continue
            found += 1
        return found

    assert accepted(177) > 0
    for count in (169, 178):
        assert accepted(count) == 0


@pytest.fixture
async def line(url: str) -> TappedLine:
    """A line on which others can answer for the meter."""
    async with tap(url) as tapped:
        yield tapped


async def test_an_empty_success_is_no_reply(
    line: tuple[TappedLine, str], simulated: SimulatedMeter
) -> None:
    """Whoever repeats the request's own digest behind zeros proves nothing."""
    tapped, url = line
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    right = await meter.read(["energy_import"])
    tapped.answer = lambda message: bytes(3) + message[-8:]
    with pytest.raises(MeterError):
        await meter.read(["energy_import"])
    tapped.answer = lambda _: None
    assert await meter.read(["energy_import"]) == right
    await meter.close()
