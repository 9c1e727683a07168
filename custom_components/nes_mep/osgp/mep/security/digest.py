"""Digest mode: every message carries 8 bytes that prove the key."""

from hmac import compare_digest
from typing import override

from ...errors import UnverifiedReplyError
from ...requests import ResponseCode
from . import MESSAGE_LIMIT, REPLY_HEAD, Envelope, Security
from .digest_function import DIGEST_LENGTH, DigestKey


class DigestSecurity(Security):
    """Authenticates requests and replies with the MEP key; encrypts nothing."""

    reply_capacity = MESSAGE_LIMIT - DIGEST_LENGTH - REPLY_HEAD

    def __init__(self, key: bytes) -> None:
        """Initialize with the 16 bytes of the key."""
        self._key = DigestKey(key)

    @override
    def seal(self, packet: bytes, sequence_number: int) -> Envelope:
        covered = packet + sequence_number.to_bytes(4)

        def unwrap(message: bytes) -> bytes:
            body = message[:-DIGEST_LENGTH]
            if is_genuine(self._key, covered, body, message):
                return body
            return plain_refusal(message)

        return Envelope(covered + self._key.digest(covered), unwrap)


def is_genuine(key: DigestKey, covered: bytes, body: bytes, message: bytes) -> bool:
    """Return whether a message's digest proves its plain body as reply to covered."""
    return bool(body) and compare_digest(
        key.digest(covered + body), message[-DIGEST_LENGTH:]
    )


def plain_refusal(message: bytes) -> bytes:
    """Return the packet "authentication failure", or raise UnverifiedReplyError.

    With the wrong key a meter cannot prove its refusal; whether it adds a digest is
    not documented. It carries no value, so it is believed.
    """
    if (
        len(message) in (1, 1 + DIGEST_LENGTH)
        and message[0] == ResponseCode.AUTHENTICATION_FAILURE
    ):
        return message[:1]
    raise UnverifiedReplyError("A reply's digest does not fit the request")
