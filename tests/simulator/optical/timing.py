"""How long an exchange takes on the wire at least. Pure functions, all in seconds."""

from ..timing import Pace
from .packets import DEFAULT_SIZE, OVERHEAD

_READ_REQUEST = 8  # bytes of a request for a part of a table
_READ_OVERHEAD = 4  # of its reply: code, count and checksum


def bytes_on_wire(message: int, size: int = DEFAULT_SIZE) -> int:
    """Return the bytes that a message costs: its packets and their acknowledgements."""
    packets = -(-message // (size - OVERHEAD))
    return message + packets * (OVERHEAD + 1)


def reading_time(counts: list[int], pace: Pace, size: int = DEFAULT_SIZE) -> float:
    """Return the least time of reads of so many bytes, one after the other.

    ``size`` is that of a packet. Neither meter nor client takes any time, and the next
    request begins when the reply before it is acknowledged.
    """
    return pace.byte_time * sum(
        bytes_on_wire(_READ_REQUEST, size) + bytes_on_wire(count + _READ_OVERHEAD, size)
        for count in counts
    )
