"""How a C12.18 packet travels in a MEP message."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

MESSAGE_LIMIT = 476
"""Bytes of the longest message, without its length (guide, "MEP protocol")."""

REPLY_HEAD = 3
"""Bytes before the data in the packet of a reply: response code and count."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request, ready to be sent, and the way to open the reply to it.

    message goes onto the line behind its length. open takes a received message
    and returns the packet in it. It raises UnverifiedReplyError when that message is
    not a genuine reply to this request, and TlsError when it ends the
    session. repeatable says whether the same message may be sent again when no
    reply comes, and copies how often it is sent at most (0: as the port thinks fit).
    """

    message: bytes
    open: Callable[[bytes], bytes]
    repeatable: bool = True
    copies: int = 0


type Exchange = Callable[[Envelope], Awaitable[bytes]]
"""Sends an envelope and returns what it opens from the reply, or raises MeterError."""


class Security(ABC):
    """A security mode: wraps requests, verifies and unwraps replies.

    The defaults are those of a mode without sessions.
    """

    numbered = True
    """Whether requests carry a sequence number that the meter checks."""

    @property
    @abstractmethod
    def reply_capacity(self) -> int:
        """Bytes of table data that fit one reply."""

    @abstractmethod
    def seal(self, packet: bytes, sequence_number: int) -> Envelope:
        """Wrap the packet of a request; needs an established session."""

    def protected_span(self, offset: int, count: int) -> tuple[int, int]:
        """Return offset and count to ask for, so that damage to any byte is found.

        The span begins at the offset or before, and may end before the last byte.
        """
        return offset, count

    @property
    def established(self) -> bool:
        """Whether a request can be sealed now."""
        return True

    async def establish(self, exchange: Exchange) -> None:  # noqa: B027 - no session
        """Start a session, or raise MeterError; one attempt, no other request between.

        Raises KeyRefusedError when the meter proved to refuse the key.
        """

    def forget(self) -> None:  # noqa: B027 - no session
        """Drop the session without telling the meter."""

    def farewell(self) -> Envelope | None:
        """Drop the session; return the message that ends it, None if there is none."""
        return None
