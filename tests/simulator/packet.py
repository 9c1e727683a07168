"""C12.18 requests as the meter sees them, and its replies (guide, pages 10 to 12)."""

from dataclasses import dataclass, replace
from enum import IntEnum

from .digest import digest

MAX_MESSAGE = 476  # body, sequence number and digest together
DIGEST_LENGTH = 8
SEQUENCE_LENGTH = 4
MAX_READ = MAX_MESSAGE - DIGEST_LENGTH - 3  # response code and count
TLS_OVERHEAD = 1 + 5 + 8 + 16 - DIGEST_LENGTH  # what TLS takes more than the digest


class RequestCode(IntEnum):
    """What a client can ask for."""

    FULL_READ = 0x30
    PARTIAL_READ = 0x3F
    FULL_WRITE = 0x40
    PARTIAL_WRITE = 0x4F
    TLS_TERMINATE = 0x57
    TLS_HELLO = 0x58
    TLS_CONTINUE = 0x59
    TLS_PACKET = 0x80


class ReplyCode(IntEnum):
    """What a meter answers."""

    OK = 0x00
    UNRECOGNIZED = 0x01
    UNSUPPORTED = 0x02
    NO_PERMISSION = 0x03
    NOT_POSSIBLE = 0x04
    TABLE_NOT_POSSIBLE = 0x05
    NO_TLS_SESSION = 0x0A
    AUTHENTICATION_FAILURE = 0x0B
    INVALID_SEQUENCE_NUMBER = 0x0C


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request message, taken apart as far as it goes; nothing is verified."""

    code: int
    covered: bytes = b""  # body and sequence number: what the digest covers
    digest: bytes = b""
    sequence: int = 0
    table: int | None = None
    offset: int = 0
    count: int | None = None
    data: bytes = b""

    @classmethod
    def parse(cls, message: bytes) -> "Request":
        """Split a message (without its length field) into its parts; never fails."""
        covered = message[:-DIGEST_LENGTH]
        return replace(
            cls.parse_packet(covered[:-SEQUENCE_LENGTH]),
            covered=covered,
            digest=message[-DIGEST_LENGTH:],
            sequence=int.from_bytes(covered[-SEQUENCE_LENGTH:]),
        )

    @classmethod
    def parse_packet(cls, body: bytes) -> "Request":
        """Split a packet without number and digest into its parts; never fails."""
        code = body[0] if body else -1
        offset_length = 3 if code in _PARTIAL else 0
        table, offset, count, data = None, 0, None, b""
        if code in _TABLE_CODES and len(body) >= 3 + offset_length:
            table = int.from_bytes(body[1:3])
            offset = int.from_bytes(body[3 : 3 + offset_length])
            rest = body[3 + offset_length :]
            if len(rest) >= 2:
                count, data = int.from_bytes(rest[:2]), rest[2:]
        return cls(code=code, table=table, offset=offset, count=count, data=data)

    @property
    def complete(self) -> bool:
        """Tell whether it is long enough to hold code, number and digest."""
        return len(self.covered) > SEQUENCE_LENGTH

    def signed_by(self, key: bytes) -> bool:
        """Tell whether the digest fits a key."""
        return self.complete and digest(key, self.covered) == self.digest


_PARTIAL = frozenset({RequestCode.PARTIAL_READ, RequestCode.PARTIAL_WRITE})
_TABLE_CODES = _PARTIAL | {RequestCode.FULL_READ, RequestCode.FULL_WRITE}
