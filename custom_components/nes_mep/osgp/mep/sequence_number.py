"""What only responses of the MEP carry (guide, "MEP protocol")."""

from ..errors import UnverifiedReplyError
from ..requests import ResponseCode


def invalid_sequence_number(packet: bytes) -> int | None:
    """Return the number that a 0C response carries, None for other responses."""
    if packet[:1] != bytes((ResponseCode.INVALID_SEQUENCE,)):
        return None
    if len(packet) != 5:
        raise UnverifiedReplyError(
            "A reply 'invalid sequence number' contains no number"
        )
    return int.from_bytes(packet[1:])
