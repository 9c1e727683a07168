"""A TLS server with Python's OpenSSL."""

from contextlib import suppress
from functools import lru_cache
import ssl
from typing import Final

from .server import ServerSettings, TlsServerError, WrongKeyError

_SUITE = "PSK-AES256-GCM-SHA384"
_NO_EXTENDED_MASTER_SECRET: Final = 1  # SSL_OP_NO_EXTENDED_MASTER_SECRET
_KEY_REASONS = {
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC",
    "DIGEST_CHECK_FAILED",
    "PSK_IDENTITY_NOT_FOUND",
    "RECORD_LAYER_FAILURE",
}


@lru_cache(maxsize=8)
def _context(settings: ServerSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITE)
    context.options |= ssl.OP_NO_TICKET
    if not settings.extended_master_secret:
        context.options |= _NO_EXTENDED_MASTER_SECRET

    def find_key(identity: str | None) -> bytes:
        return settings.find_key((identity or "").encode()) or b""

    context.set_psk_server_callback(find_key)
    return context


class OpenSslServer:
    """One session of an OpenSSL server.

    OpenSSL keeps identities as C strings: it sees them up to their first zero.
    """

    def __init__(self, settings: ServerSettings) -> None:
        """Wait for a client's first flight."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._connection = _context(settings).wrap_bio(
            self._incoming, self._outgoing, server_side=True
        )
        self.established = False

    def handshake(self, records: bytes) -> bytes:
        """Pass on a flight of the client and return the server's."""
        self._incoming.write(records)
        try:
            with suppress(ssl.SSLWantReadError):
                self._connection.do_handshake()
                self.established = True
        except ssl.SSLError as error:
            kind = WrongKeyError if error.reason in _KEY_REASONS else TlsServerError
            raise kind(str(error), self._outgoing.read()) from error
        return self._outgoing.read()

    def decrypt(self, records: bytes) -> bytes:
        """Return what the client sent."""
        self._incoming.write(records)
        try:
            return self._connection.read()
        except ssl.SSLError as error:
            raise TlsServerError(str(error), self._outgoing.read()) from error

    def encrypt(self, data: bytes) -> bytes:
        """Return the records to send."""
        self._connection.write(data)
        return self._outgoing.read()

    def close(self) -> bytes:
        """End the session; return the alert that says so."""
        with suppress(ssl.SSLError):
            self._connection.unwrap()
        return self._outgoing.read()
