"""RC4 mode against the vectors that two other implementations agree on."""

from typing import Any

import pytest

from osgp import UnverifiedReplyError
from osgp.mep.security import Envelope
from osgp.mep.security.digest_function import DigestKey
from osgp.mep.security.rc4 import Rc4Security

from .vectors import VECTORS

_VECTORS: list[dict[str, Any]] = VECTORS["rc4"]["vectors"]
_every_vector = pytest.mark.parametrize("vector", _VECTORS)


def _sealed(vector: dict[str, Any]) -> Envelope:
    covered = bytes.fromhex(vector["request_plain"])
    security = Rc4Security(bytes.fromhex(vector["key"]))
    return security.seal(covered[:-4], int.from_bytes(covered[-4:]))


def _message(frame: str) -> bytes:
    """Return a frame without its length."""
    message = bytes.fromhex(frame)[2:]
    assert int.from_bytes(bytes.fromhex(frame)[:2]) == len(message)
    return message


@_every_vector
def test_vectors(vector: dict[str, Any]) -> None:
    """Requests go out and replies are opened as the vectors say."""
    envelope = _sealed(vector)
    assert envelope.message == _message(vector["request_frame"])
    assert envelope.repeatable
    reply = _message(vector["reply_frame"])
    assert envelope.open(reply).hex() == vector["reply_plain"]
    assert envelope.open(reply).hex() == vector["reply_plain"]  # a second copy


@_every_vector
def test_every_damage_is_found(vector: dict[str, Any]) -> None:
    """No altered reply is opened, wherever it is altered."""
    envelope = _sealed(vector)
    reply = _message(vector["reply_frame"])
    for position in range(len(reply)):
        for bit in range(8):
            damaged = bytearray(reply)
            damaged[position] ^= 1 << bit
            with pytest.raises(UnverifiedReplyError):
                envelope.open(bytes(damaged))
        with pytest.raises(UnverifiedReplyError):
            envelope.open(reply[:position])


def test_plain_replies() -> None:
    """Of what comes unencrypted only "authentication failure" is believed."""
    key = bytes.fromhex(_VECTORS[0]["key"])
    covered = bytes.fromhex(_VECTORS[0]["request_plain"])
    envelope = _sealed(_VECTORS[0])
    digest = DigestKey(key)
    refusal = b"\x0b"
    assert envelope.open(refusal) == refusal
    assert envelope.open(refusal + digest.digest(covered + refusal)) == refusal
    plain = bytes.fromhex(_VECTORS[0]["reply_plain"])
    with pytest.raises(UnverifiedReplyError):
        envelope.open(plain + digest.digest(covered + plain))


def test_encrypted_refusal() -> None:
    """The reply "invalid sequence number" is encrypted as any other."""
    vector = _VECTORS[0]
    envelope = _sealed(vector)
    body = bytes.fromhex("0c77635b90")
    reply, plain = _message(vector["reply_frame"]), vector["reply_plain"]
    stream = bytes(
        a ^ b for a, b in zip(reply, bytes.fromhex(plain)[: len(body)], strict=False)
    )
    covered = bytes.fromhex(vector["request_plain"])
    digest = DigestKey(bytes.fromhex(vector["key"])).digest(covered + body)
    encrypted = bytes(a ^ b for a, b in zip(body, stream, strict=True))
    assert envelope.open(encrypted + digest) == body


def test_capacity() -> None:
    """RC4 adds nothing to a message."""
    assert Rc4Security(bytes(16)).reply_capacity == 465


def test_nothing_shows_the_keys() -> None:
    """Neither the object nor the frames of an error show a key."""
    vector = _VECTORS[0]
    with pytest.raises(UnverifiedReplyError) as caught:
        _sealed(vector).open(bytes(20))
    shown = [repr(Rc4Security(bytes.fromhex(vector["key"])))]
    frame = caught.value.__traceback__
    while frame:
        if "nes_mep" in frame.tb_frame.f_code.co_filename:
            shown += map(repr, frame.tb_frame.f_locals.values())
        frame = frame.tb_next
    assert len(shown) > 5
    for secret in ("key", "mep_encrypt_key", "packet_key"):
        for text in shown:
            assert repr(bytes.fromhex(vector[secret])) not in text
