"""A client and a server in one room: handshakes without any MEP between them."""

from collections.abc import Callable
from dataclasses import dataclass

from osgp.mep.security.tls_handshake import ClientHandshake
from osgp.mep.security.tls_secrets import PreSharedKey
from osgp.mep.security.tls_session import TlsSession

from .mbedtls import MbedTlsServer
from .openssl import OpenSslServer
from .server import ServerSettings, TlsServer

KEY = b"Wb7#kP2x!dL9vT4q"
IDENTITY = b"HA\0"

type Stack = Callable[[ServerSettings], TlsServer]

STACKS: dict[str, Stack] = {"openssl": OpenSslServer, "mbedtls": MbedTlsServer}


def settings(*, extended_master_secret: bool = True) -> ServerSettings:
    """Return the settings of a server with KEY, whoever asks."""
    return ServerSettings(
        find_key=lambda _: KEY, extended_master_secret=extended_master_secret
    )


def client(key: bytes = KEY, identity: bytes = IDENTITY) -> ClientHandshake:
    """Return a client at its start."""
    return ClientHandshake(PreSharedKey(key), identity)


@dataclass(slots=True)
class Meeting:
    """A handshake that was done, with the server's flights."""

    first_flight: bytes
    second_flight: bytes
    session: TlsSession
    server: TlsServer

    def ask(self, request: bytes, reply: bytes) -> bytes:
        """Let the client ask and the server answer; return the reply's records."""
        assert self.server.decrypt(self.session.seal(request)) == request
        return self.server.encrypt(reply)


def meet(server: TlsServer) -> Meeting:
    """Do a handshake of a new client with a server."""
    handshake = client()
    first = server.handshake(handshake.hello)
    second = server.handshake(handshake.answer(first))
    session = handshake.finish(second)
    assert server.established
    return Meeting(first, second, session, server)
