"""What the TLS servers have in common: records in, records out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How a server behaves.

    ``find_key`` returns the pre-shared key of an identity, None for an unknown one.
    """

    find_key: Callable[[bytes], bytes | None]
    extended_master_secret: bool = True


class TlsServerError(Exception):
    """The server ended the session; ``records`` is what it sends, often an alert."""

    def __init__(self, reason: str, records: bytes) -> None:
        """Keep what the server sends."""
        super().__init__(reason)
        self.records = records


class WrongKeyError(TlsServerError):
    """The server does not know the identity, or the other side has another key."""


class TlsServer(Protocol):
    """One session of a server, from its handshake to its end."""

    @property
    def established(self) -> bool:
        """Whether the handshake is complete."""

    def handshake(self, records: bytes) -> bytes:
        """Pass on a flight of the client and return the server's. Raises TlsServerError."""

    def decrypt(self, records: bytes) -> bytes:
        """Return what the client sent; TlsServerError when it is not genuine."""

    def encrypt(self, data: bytes) -> bytes:
        """Return the records to send."""
