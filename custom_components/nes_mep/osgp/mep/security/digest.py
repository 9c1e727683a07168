"""Digest mode: every message carries 8 bytes that prove the key."""

from hmac import compare_digest
from typing import override

from ...errors import UnverifiedReplyError
from ...requests import ResponseCode
from . import MESSAGE_LIMIT, REPLY_HEAD, Envelope, Security
from .digest_function import DIGEST_LENGTH, PASS_LENGTH, DigestKey

_COVERED = 12 + REPLY_HEAD
"""Bytes that the digest of a reply to a partial read covers beside the data."""
_WEAK_END = 7
"""A reply must not end within this many bytes before the end of a pass."""


class DigestSecurity(Security):
    """Authenticates requests and replies with the MEP key; encrypts nothing."""

    reply_capacity = MESSAGE_LIMIT - DIGEST_LENGTH - REPLY_HEAD

    def __init__(self, key: bytes) -> None:
        """Initialize with the 16 bytes of the key."""
        self._key = DigestKey(key)

    @override
    def protected_span(self, offset: int, count: int) -> tuple[int, int]:
        return strong_span(offset, count, self.reply_capacity)

    @override
    def seal(self, packet: bytes, sequence_number: int) -> Envelope:
        covered = packet + sequence_number.to_bytes(4)

        def unwrap(message: bytes) -> bytes:
            body = message[:-DIGEST_LENGTH]
            if is_genuine(self._key, covered, body, message):
                return body
            return plain_refusal(message)

        return Envelope(covered + self._key.digest(covered), unwrap)


def strong_span(offset: int, count: int, capacity: int) -> tuple[int, int]:
    """Return the span to ask for so that the digest protects its last bytes well.

    The last bytes of a pass of the digest meet few of its steps: a change of one of
    them can be undone by a change of the digest. So a reply ends well before or
    behind the end of a pass: some bytes before the span are read along, or the span
    ends earlier and the rest is asked for next.
    """
    end = (_COVERED + count) % PASS_LENGTH
    if 0 < end < PASS_LENGTH - _WEAK_END:
        return offset, count
    more = (PASS_LENGTH - end) % PASS_LENGTH + 1
    if more <= offset and count + more <= capacity:
        return offset - more, count + more
    return offset, count - _WEAK_END - 1 + more - 1


def is_genuine(key: DigestKey, covered: bytes, body: bytes, message: bytes) -> bool:
    """Return whether a message's digest proves its plain body as reply to covered.

    It proves nothing of a body of zeros: with and without it, the digest is the same.
    """
    return any(body) and compare_digest(
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
    raise UnverifiedReplyError("A reply's digest does not match the request")
