"""The services of ANSI C12.18: requests, and what their replies say.

All numbers are big-endian. Of the services that write, there is none.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ..errors import RefusalError, UnverifiedReplyError
from ..requests import PartialRead, ReadRequest, ResponseCode

IDENTIFICATION: Final = b"\x20"
TERMINATE: Final = b"\x21"
LOGOFF: Final = b"\x52"

_BAUD_9600: Final = b"\x06"

_USER: Final = 1
"""The meter stores it with the events that a session causes; it checks nothing."""
_USER_NAME: Final = "nes_mep"
_USER_NAME_LENGTH = 10
LONGEST_KEY: Final = 20

_HEAD_LENGTH: Final = 3
READ_OVERHEAD: Final = _HEAD_LENGTH + 1
"""Bytes of the reply to a read that are not data: code, count and checksum."""


class FurtherCode(IntEnum):
    """Response codes that only the optical port has."""

    BUSY = 0x06
    NOT_READY = 0x07
    LOCKED = 0x08
    RENEGOTIATE = 0x09


BUSY: Final = frozenset({FurtherCode.BUSY, FurtherCode.NOT_READY, FurtherCode.LOCKED})
"""Codes after which the same request may be answered a second later."""
NO_SESSION: Final = frozenset({FurtherCode.RENEGOTIATE, ResponseCode.NO_SESSION})
"""Codes that say that the state of the session is not the expected one."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How large a packet is at most, in bytes, and of how many a message consists."""

    size: int
    packets: int


SMALLEST_TERMS: Final = Terms(64, 1)
"""What holds where nothing was negotiated."""
_SMALLEST_SIZE = 32
"""The key needs a packet of 29 bytes."""


def negotiate(terms: Terms) -> bytes:
    """Return the request to use other terms, at the baud rate that every session has."""
    return b"\x61" + terms.size.to_bytes(2) + bytes([terms.packets]) + _BAUD_9600


def agreed_terms(asked: Terms, reply: bytes) -> Terms:
    """Return the terms that hold after a reply; asked for too much, a meter has less.

    Raises UnverifiedReplyError for another baud rate, which was not offered.
    """
    if reply[0] != ResponseCode.OK or len(reply) < 4:
        return SMALLEST_TERMS
    if reply[4:5] not in (b"", _BAUD_9600):
        raise UnverifiedReplyError(
            f"The optical port wants another baud rate ({reply[4]}) than 9600"
        )
    size, packets = int.from_bytes(reply[1:3]), reply[3]
    if size < _SMALLEST_SIZE or not packets:
        return SMALLEST_TERMS
    return Terms(min(size, asked.size), min(packets, asked.packets))


def logon(user: int = _USER, name: str = _USER_NAME) -> bytes:
    """Return the request to begin a session as a user."""
    return b"\x50" + user.to_bytes(2) + name.ljust(_USER_NAME_LENGTH).encode("ascii")


def security(key: bytes) -> bytes:
    """Return the request that shows the key, up to 20 bytes, which it holds as it is."""
    return b"\x51" + key.ljust(LONGEST_KEY, b"\0")


def wait(seconds: int) -> bytes:
    """Return the request to keep a session without traffic, for up to 255 s."""
    return bytes([0x70, seconds])


def read(request: ReadRequest) -> bytes:
    """Return a read request. One of a whole table does not name its length."""
    if isinstance(request, PartialRead):
        return request.to_bytes()
    return b"\x30" + request.table.to_bytes(2)


def checksum(data: bytes) -> int:
    """Return the byte that makes the sum of all bytes 0."""
    return -sum(data) & 0xFF


def read_reply(request: ReadRequest, reply: bytes) -> bytes:
    """Return the reply to a read as other links have it: without the checksum.

    Raises UnverifiedReplyError if that is wrong, or if the reply to the read of a part
    is not as long as that: tables are padded, so it answers another read.
    """
    if reply[0] > ResponseCode.NO_SESSION:
        raise UnverifiedReplyError(f"A reply has the unknown code 0x{reply[0]:02X}")
    if reply[0] != ResponseCode.OK:
        return reply
    if len(reply) < READ_OVERHEAD or checksum(reply[_HEAD_LENGTH:-1]) != reply[-1]:
        raise UnverifiedReplyError("A reply has a wrong checksum")
    length = len(reply) - READ_OVERHEAD
    if isinstance(request, PartialRead) and length != request.count:
        raise UnverifiedReplyError(
            f"The reply to {request} has {length} bytes: it answers another read"
        )
    return reply[:-1]


def refusal(request: object, code: int) -> RefusalError:
    """Return the error for a request that is busy even after repetitions."""
    meaning = "busy" if code in BUSY else "it does not say why"
    return RefusalError(code, str(request), meaning)
