"""How a C12.18 packet travels in a MEP message."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request, ready to be sent, and the way to open the reply to it.

    message goes onto the line behind its length. open takes a received message
    and returns the packet in it, or raises MepProtocolError when that message is
    not a genuine reply to this request.
    """

    message: bytes
    open: Callable[[bytes], bytes]


class Security(Protocol):
    """A mode of protection: wraps requests, verifies and unwraps replies."""

    @property
    def reply_capacity(self) -> int:
        """Bytes of table data that fit one reply."""

    def seal(self, packet: bytes, sequence_number: int) -> Envelope:
        """Wrap the packet of a request."""
