"""Read requests and their responses, the services of ANSI C12.18.

All numbers of a packet are big-endian; the data of a table, which is not looked
at here, is little-endian.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, override

from .errors import RefusalError, UnverifiedReplyError
from .tables.names import table_name


class ResponseCode(IntEnum):
    """First byte of a response."""

    OK = 0x00
    UNRECOGNIZED = 0x01
    UNSUPPORTED = 0x02
    NO_PERMISSION = 0x03
    NOT_POSSIBLE = 0x04
    TABLE_NOT_POSSIBLE = 0x05
    NO_SESSION = 0x0A
    AUTHENTICATION_FAILURE = 0x0B
    INVALID_SEQUENCE = 0x0C


_MEANINGS = {
    ResponseCode.UNRECOGNIZED: "unrecognised request",
    ResponseCode.UNSUPPORTED: "unsupported request",
    ResponseCode.NO_PERMISSION: "no permission",
    ResponseCode.NOT_POSSIBLE: "the operation is not possible now",
    ResponseCode.TABLE_NOT_POSSIBLE: "the table does not exist or is too short",
    ResponseCode.NO_SESSION: "no TLS session",
    ResponseCode.AUTHENTICATION_FAILURE: "authentication failure",
    ResponseCode.INVALID_SEQUENCE: "invalid sequence number",
}


@dataclass(frozen=True, slots=True)
class PartialRead:
    """Read count bytes of a table from an offset on (request code 3F)."""

    table: int
    offset: int
    count: int

    def to_bytes(self) -> bytes:
        """Return the packet, or raise OverflowError for impossible numbers."""
        return (
            b"\x3f"
            + self.table.to_bytes(2)
            + self.offset.to_bytes(3)
            + self.count.to_bytes(2)
        )

    @override
    def __str__(self) -> str:
        """Return what is asked for, as errors quote it."""
        return f"{table_name(self.table)} at {self.offset}, {self.count} bytes"


@dataclass(frozen=True, slots=True)
class FullRead:
    """Read a whole table, of a length that is known or ANY_LENGTH (request code 30).

    Only at the optical port may the length be unknown.
    """

    table: int
    length: int

    def to_bytes(self) -> bytes:
        """Return the packet, or raise OverflowError for impossible numbers."""
        return b"\x30" + self.table.to_bytes(2) + self.length.to_bytes(2)

    @override
    def __str__(self) -> str:
        """Return what is asked for, as errors quote it."""
        return f"{table_name(self.table)} in full"


ANY_LENGTH: Final = 0xFFFF
"""The length of a table that may have any."""

type ReadRequest = PartialRead | FullRead


def parse_request(packet: bytes) -> ReadRequest:
    """Return the read request that a packet holds.

    Raises ValueError for every other request: this client never writes.
    """
    if len(packet) == 8 and packet[0] == 0x3F:
        return PartialRead(
            table=int.from_bytes(packet[1:3]),
            offset=int.from_bytes(packet[3:6]),
            count=int.from_bytes(packet[6:8]),
        )
    if len(packet) == 5 and packet[0] == 0x30:
        return FullRead(
            table=int.from_bytes(packet[1:3]), length=int.from_bytes(packet[3:5])
        )
    raise ValueError(
        "Not a read request: 30 TTTT LLLL or 3F TTTT OOOOOO CCCC (hex digits)"
    )


def response_data(request: ReadRequest, packet: bytes) -> bytes:
    """Return the table data of a response.

    Raises RefusalError when the meter refused, and UnverifiedReplyError when the
    response's count is not the number of its bytes, is more than was asked for, or 0.
    """
    code = packet[0] if packet else ResponseCode.UNRECOGNIZED
    if code != ResponseCode.OK:
        raise refusal(request, code)
    count = int.from_bytes(packet[1:3])
    data = packet[3:]
    limit = request.count if isinstance(request, PartialRead) else request.length
    if len(packet) < 3 or count != len(data) or not 0 < count <= limit:
        raise UnverifiedReplyError(
            f"The reply to {request} claims {count} bytes and contains {len(data)}"
        )
    return data


def refusal(request: ReadRequest, code: int) -> RefusalError:
    """Return the error for a response code other than success."""
    meaning = _MEANINGS.get(ResponseCode(code)) if code in ResponseCode else None
    return RefusalError(code, str(request), meaning or "unknown response code")
