"""A TLS server with mbed TLS, called in its shared libraries."""

from ctypes import (
    CDLL,
    CFUNCTYPE,
    POINTER,
    c_char_p,
    c_int,
    c_size_t,
    c_ubyte,
    c_void_p,
    create_string_buffer,
    memmove,
    string_at,
)
from ctypes.util import find_library
from functools import lru_cache
import os
from pathlib import Path
from typing import Any, Final

from .server import ServerSettings, TlsServerError, WrongKeyError

_FETCHED = Path(__file__).parents[2] / ".dev" / "mbedtls" / "python_mbedtls.libs"

_SUITE: Final = 0x00A9
_SERVER: Final = 1
_STREAM: Final = 0
_PRESET_DEFAULT: Final = 0
_WANT_READ: Final = -0x6900
_KEY_ERRORS = {-0x6C80, -0x7180, -0x7E80}  # unknown identity, bad MAC, bad Finished

_STRUCTURE = 16384  # more than any of the library's structures takes

_SEND = CFUNCTYPE(c_int, c_void_p, POINTER(c_ubyte), c_size_t)
_RECEIVE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
_RANDOM = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
_FIND_KEY = CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(c_ubyte), c_size_t)


def _path(part: str) -> str:
    """Return where a part of the library is: fetched, or of this machine."""
    fetched = next(_FETCHED.glob(f"libmbed{part}-*"), None)
    if path := str(fetched) if fetched else find_library(f"mbed{part}"):
        return path
    raise FileNotFoundError(
        "mbed TLS is missing: run `scripts/setup mbedtls`, or install it"
    )


@lru_cache(maxsize=1)
def _library() -> CDLL:
    """Load the library; each part needs the ones before it."""
    for part in ("crypto", "x509"):
        CDLL(_path(part))
    return CDLL(_path("tls"))


@lru_cache(maxsize=1)
def mbedtls_version() -> str:
    """Return the name and version of the library."""
    text = create_string_buffer(64)
    CDLL(_path("crypto")).mbedtls_version_get_string_full(text)
    return text.value.decode()


def _fill_with_random(_context: int, buffer: int, length: int) -> int:
    memmove(buffer, os.urandom(length), length)
    return 0


_random = _RANDOM(_fill_with_random)


class MbedTlsServer:
    """One session of an mbed TLS server."""

    def __init__(self, settings: ServerSettings) -> None:
        """Wait for a client's first flight."""
        self._library = library = _library()
        self._settings = settings
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self.established = False
        self._session = create_string_buffer(_STRUCTURE)
        self._configuration = create_string_buffer(_STRUCTURE)
        self._suites = (c_int * 2)(_SUITE, 0)
        # The library calls these as long as the session lives.
        self._callbacks = (
            _FIND_KEY(self._find_key),
            _SEND(self._send),
            _RECEIVE(self._receive),
        )
        find_key, send, receive = self._callbacks
        configuration = self._configuration
        library.mbedtls_ssl_config_init(configuration)
        library.mbedtls_ssl_init(self._session)
        self._check(
            library.mbedtls_ssl_config_defaults(
                configuration, _SERVER, _STREAM, _PRESET_DEFAULT
            )
        )
        library.mbedtls_ssl_conf_rng(configuration, _random, None)
        library.mbedtls_ssl_conf_ciphersuites(configuration, self._suites)
        library.mbedtls_ssl_conf_psk_cb(configuration, find_key, None)
        library.mbedtls_ssl_conf_extended_master_secret(
            configuration, int(settings.extended_master_secret)
        )
        self._check(library.mbedtls_ssl_setup(self._session, configuration))
        library.mbedtls_ssl_set_bio(self._session, None, send, receive, None)

    def __del__(self) -> None:
        """Free what the library allocated."""
        if hasattr(self, "_callbacks"):
            self._library.mbedtls_ssl_free(self._session)
            self._library.mbedtls_ssl_config_free(self._configuration)

    def handshake(self, records: bytes) -> bytes:
        """Pass on a flight of the client and return the server's."""
        self._incoming += records
        result = self._library.mbedtls_ssl_handshake(self._session)
        if result != _WANT_READ:
            self._check(result)
            self.established = True
        return self._sent()

    def decrypt(self, records: bytes) -> bytes:
        """Return what the client sent."""
        self._incoming += records
        buffer = create_string_buffer(1024)
        length = self._library.mbedtls_ssl_read(self._session, buffer, len(buffer))
        self._check(min(length, 0))
        return buffer.raw[:length]

    def encrypt(self, data: bytes) -> bytes:
        """Return the records to send."""
        written = self._library.mbedtls_ssl_write(
            self._session, c_char_p(data), c_size_t(len(data))
        )
        self._check(min(written, 0))
        return self._sent()

    def close(self) -> bytes:
        """End the session; return the alert that says so."""
        self._library.mbedtls_ssl_close_notify(self._session)
        return self._sent()

    def _sent(self) -> bytes:
        sent = bytes(self._outgoing)
        self._outgoing.clear()
        return sent

    def _check(self, result: int) -> None:
        if result:
            kind = WrongKeyError if result in _KEY_ERRORS else TlsServerError
            raise kind(f"mbed TLS reports -0x{-result:04X}", self._sent())

    def _find_key(self, _context: int, session: int, identity: Any, length: int) -> int:
        key = self._settings.find_key(string_at(identity, length))
        if key is None:
            return -1
        result: int = self._library.mbedtls_ssl_set_hs_psk(
            c_void_p(session), c_char_p(key), c_size_t(len(key))
        )
        return result

    def _send(self, _context: int, data: Any, length: int) -> int:
        self._outgoing += string_at(data, length)
        return length

    def _receive(self, _context: int, buffer: int, length: int) -> int:
        if not self._incoming:
            return _WANT_READ
        taken = bytes(self._incoming[:length])
        del self._incoming[:length]
        memmove(buffer, taken, len(taken))
        return len(taken)
