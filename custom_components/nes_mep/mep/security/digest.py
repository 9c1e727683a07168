"""Digest mode: every message carries 8 bytes that prove the key."""

from hmac import compare_digest

from ..digest import DIGEST_LENGTH, DigestKey
from ..errors import MepProtocolError
from ..packet import ResponseCode
from . import Envelope

_LONGEST_BODY = 476
_REPLY_HEAD = 3


class DigestSecurity:
    """Authenticates requests and replies with the MEP key; encrypts nothing."""

    reply_capacity = _LONGEST_BODY - DIGEST_LENGTH - _REPLY_HEAD

    def __init__(self, key: bytes) -> None:
        """Take the 16 bytes of the key."""
        self._key = DigestKey(key)

    def seal(self, packet: bytes, sequence_number: int) -> Envelope:
        """Wrap a packet: sequence number and digest behind it."""
        covered = packet + sequence_number.to_bytes(4)

        def unwrap(message: bytes) -> bytes:
            body = message[:-DIGEST_LENGTH]
            digest = self._key.digest(covered + body)
            if body and compare_digest(digest, message[-DIGEST_LENGTH:]):
                return body
            # With the wrong key a meter cannot prove its refusal; whether it adds a
            # digest is not documented. It carries no value, so it is believed.
            if (
                len(message) in (1, 1 + DIGEST_LENGTH)
                and message[0] == ResponseCode.AUTHENTICATION_FAILURE
            ):
                return message[:1]
            raise MepProtocolError("A reply's digest does not fit the request")

        return Envelope(covered + self._key.digest(covered), unwrap)
