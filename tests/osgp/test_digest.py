"""The digest and digest mode, against the published vectors."""

from hypothesis import given, strategies as st
import pytest

from osgp import UnverifiedReplyError
from osgp.mep.security.digest import DigestSecurity
from osgp.mep.security.digest_function import DigestKey

from .vectors import FRAMES, VECTORS

_GUIDE_KEY = bytes.fromhex("01" * 16)


@pytest.mark.parametrize("vector", VECTORS["digest"], ids=lambda vector: vector["id"])
def test_digest_of_published_vectors(vector: dict[str, str]) -> None:
    """Requests and chained replies have the published digests."""
    covered = bytes.fromhex(vector["request"]) + bytes.fromhex(vector["response"] or "")
    key = DigestKey(bytes.fromhex(vector["key"]))
    assert key.digest(covered).hex() == vector["digest"]


def test_key_of_wrong_length_is_refused() -> None:
    """A key has 16 bytes; the error does not repeat it."""
    with pytest.raises(ValueError, match="16 bytes, this has 15"):
        DigestKey(b"secret secret 1")


@pytest.mark.parametrize(
    ("request_id", "reply_id"),
    [
        (identifier, f"{identifier}-reply")
        for identifier in FRAMES
        if f"{identifier}-reply" in FRAMES
    ],
)
def test_exchange_of_published_frames(request_id: str, reply_id: str) -> None:
    """A request is sealed as published, and the published reply opens."""
    frame = FRAMES[request_id]
    key = bytes.fromhex(frame["meaning"].get("key", "01" * 16))
    message = bytes.fromhex(frame["hex"])[2:]
    packet, number = message[:-12], int.from_bytes(message[-12:-8])
    envelope = DigestSecurity(key).seal(packet, number)
    assert envelope.message == message
    reply = bytes.fromhex(FRAMES[reply_id]["hex"])[2:]
    if any(reply[:-8]):
        assert envelope.open(reply) == reply[:-8]
        return
    # The answer to a write: its digest is the request's own, and proves nothing.
    with pytest.raises(UnverifiedReplyError):
        envelope.open(reply)


_ENVELOPE = DigestSecurity(_GUIDE_KEY).seal(
    bytes.fromhex("3f0017000000002c"), 0x77635B91
)
_REPLY = bytes.fromhex(FRAMES["guide-bt23-second-read-reply"]["hex"])[2:]


@pytest.mark.parametrize("position", range(len(_REPLY)))
def test_every_flipped_bit_is_noticed(position: int) -> None:
    """A reply with one changed bit never opens."""
    for bit in range(8):
        damaged = bytearray(_REPLY)
        damaged[position] ^= 1 << bit
        with pytest.raises(UnverifiedReplyError):
            _ENVELOPE.open(bytes(damaged))


@given(st.binary(max_size=600))
def test_arbitrary_bytes_never_open(message: bytes) -> None:
    """Nothing but the genuine reply opens, apart from a bare 0B without value."""
    if message == _REPLY:
        return
    try:
        packet = _ENVELOPE.open(message)
    except UnverifiedReplyError:
        return
    assert packet == b"\x0b"


@pytest.mark.parametrize("message", [b"\x0b", b"\x0b" + bytes(8)])
def test_refusal_of_the_key_is_believed_without_proof(message: bytes) -> None:
    """A meter that refuses the key cannot prove that it does."""
    assert _ENVELOPE.open(message) == b"\x0b"


def test_key_is_in_no_representation() -> None:
    """Neither the key object nor the security shows the key."""
    key = b"Wb7#kP2x!dL9vT4q"
    security = DigestSecurity(key)
    for shown in (repr(security), str(security), repr(security.seal(b"\x3f", 1))):
        assert "Wb7" not in shown
        assert key.hex() not in shown
