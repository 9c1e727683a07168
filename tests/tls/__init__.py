"""TLS servers that this project did not write, in memory: what meters are tested by.

``OpenSslServer`` is Python's own OpenSSL, ``MbedTlsServer`` the library that meters
have in them, from the files that ``scripts/setup mbedtls`` fetches.
"""

from .mbedtls import MbedTlsServer
from .openssl import OpenSslServer
from .server import ServerSettings, TlsServer, TlsServerError, WrongKeyError

__all__ = [
    "MbedTlsServer",
    "OpenSslServer",
    "ServerSettings",
    "TlsServer",
    "TlsServerError",
    "WrongKeyError",
]
