"""The TLS side of a MEP port (guide, pages 8, 9 and 18), on a real TLS server."""

from collections.abc import Callable
from typing import override

from tests.tls import (
    MbedTlsServer,
    OpenSslServer,
    ServerSettings,
    TlsServer,
    TlsServerError,
    WrongKeyError,
)

from .packet import ReplyCode, Request, RequestCode
from .protection import Opened

STACKS: dict[str, Callable[[ServerSettings], TlsServer]] = {
    "mbedtls": MbedTlsServer,
    "openssl": OpenSslServer,
}

CODES = frozenset(
    {
        RequestCode.TLS_TERMINATE,
        RequestCode.TLS_HELLO,
        RequestCode.TLS_CONTINUE,
        RequestCode.TLS_PACKET,
    }
)
_BASIC, _ADVANCED = 0, 1  # key id, the last byte of an identity


class TlsPort:
    """Sessions of one port, one at a time; ``keys`` gives the MBK and the MAK.

    ``required``: nothing but TLS is answered. ``sends_alerts``: a refusal comes as
    success with the server's alert, not as a bare code (the guide does not say).
    OpenSSL sees an identity up to its first zero; it is taken for the whole one there
    as long as both bytes of the client id are not zero.
    """

    def __init__(
        self,
        stack: str,
        keys: Callable[[], tuple[bytes, bytes]],
        *,
        required: bool = False,
        sends_alerts: bool = False,
    ) -> None:
        """Wait for a client."""
        self.required = required
        self.sends_alerts = sends_alerts
        self.identities: list[bytes] = []  # of all handshakes so far
        self.handshakes = 0  # completed
        self._stack = STACKS[stack]
        self._keys = keys
        self._settings = ServerSettings(find_key=self._find_key)
        self._server: TlsServer | None = None
        self._key = b""

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} established={self.established}>"

    @property
    def established(self) -> bool:
        """Whether there is a session."""
        return self._server is not None and self._server.established

    def forget(self) -> None:
        """Lose the session, as a restart does."""
        self._server = None

    def open(self, message: bytes) -> Opened:
        """Accept any message; this port decides what is done with it."""
        request = Request.parse_packet(message)
        try:
            return self._receive(request, message[1:])
        except TlsServerError as error:
            self.forget()
            if self.sends_alerts and error.records:
                reply = bytes([ReplyCode.OK]) + error.records
            elif isinstance(error, WrongKeyError):
                reply = bytes([ReplyCode.NO_PERMISSION])
            else:
                reply = bytes([ReplyCode.UNRECOGNIZED])
            return Opened(request=request, reply=reply)

    def _receive(self, request: Request, records: bytes) -> Opened:
        code = request.code
        if code == RequestCode.TLS_TERMINATE:
            self.forget()
            return Opened(request=request, reply=bytes([ReplyCode.OK]))
        if code == RequestCode.TLS_HELLO:
            self._server = self._stack(self._settings)
        server = self._server
        if server is None or (code == RequestCode.TLS_PACKET) != server.established:
            if code not in CODES:
                # What a meter says to a digest request then is not documented.
                return Opened(request=request, reply=bytes([ReplyCode.UNRECOGNIZED]))
            return Opened(request=request, reply=bytes([ReplyCode.NO_TLS_SESSION]))
        if code != RequestCode.TLS_PACKET:
            flight = server.handshake(records)
            self.handshakes += server.established
            return Opened(request=request, reply=bytes([ReplyCode.OK]) + flight)
        return Opened(
            request=Request.parse_packet(server.decrypt(records)),
            key=self._key,
            numbered=False,
            seal=lambda body: bytes([ReplyCode.OK]) + server.encrypt(body),
        )

    def _find_key(self, identity: bytes) -> bytes | None:
        self.identities.append(identity)
        key_id = identity[2] if len(identity) == 3 else _BASIC
        if key_id not in {_BASIC, _ADVANCED}:
            return None
        self._key = self._keys()[key_id]
        return self._key
