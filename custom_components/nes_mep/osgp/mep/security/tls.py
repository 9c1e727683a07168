"""TLS mode: packets travel in a TLS session (guide, "Using TLS Security").

A MEP message carries the records of one flight. The code of a reply is the meter's
word on the session, not protected by it; the response to a packet is in the records.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import override

from ...errors import (
    KeyRefusedError,
    NoReplyError,
    TlsError,
    TlsUnsupportedError,
    UnverifiedReplyError,
)
from ...key import KeyKind
from ...requests import ResponseCode
from . import MESSAGE_LIMIT, REPLY_HEAD, Envelope, Exchange, Security
from .tls_handshake import ClientHandshake
from .tls_records import CIPHER_OVERHEAD, Alert, TlsAlertError
from .tls_secrets import PreSharedKey
from .tls_session import TlsSession

DEFAULT_CLIENT_ID = int.from_bytes(b"HA", "little")
"""Any number will do: the meter writes it into its log."""

_CODE_LENGTH = 1

_KEY_REFUSED = frozenset(
    {Alert.BAD_RECORD_MAC, Alert.DECRYPT_ERROR, Alert.UNKNOWN_PSK_IDENTITY}
)
"""The alerts of a server that has another key or does not know the identity."""

_REFUSALS = 2
"""Handshakes in a row that the meter must refuse because of the key before the key
counts as wrong: a damaged one is refused in the same way."""


class _RequestCode(IntEnum):
    """First byte of a message to the meter."""

    TERMINATE = 0x57
    HANDSHAKE = 0x58
    HANDSHAKE_CONTINUED = 0x59
    TABLE = 0x80


class TlsSecurity(Security):
    """Encrypts and authenticates with new keys for each session."""

    numbered = False
    reply_capacity = MESSAGE_LIMIT - _CODE_LENGTH - CIPHER_OVERHEAD - REPLY_HEAD

    def __init__(
        self,
        key: bytes,
        kind: KeyKind = KeyKind.BASIC,
        client_id: int = DEFAULT_CLIENT_ID,
    ) -> None:
        """Initialize with the 16 bytes of a key and its kind; client_id has 16 bits."""
        self._key = PreSharedKey(key)
        self._identity = client_id.to_bytes(2, "little") + kind.to_bytes()
        self._session: TlsSession | None = None
        self._meter_has_session = False
        self._refusals = 0

    @property
    @override
    def established(self) -> bool:
        return self._session is not None and self._session.ready

    @override
    async def establish(self, exchange: Exchange) -> None:
        """Do a handshake.

        Raises TlsUnsupportedError when the meter refuses to begin one,
        KeyRefusedError when it refused the key again, and TlsError,
        UnverifiedReplyError or NoReplyError when another attempt may succeed.
        """
        self._session = None
        try:
            await self._shake_hands(exchange)
        except (NoReplyError, UnverifiedReplyError):
            # Flights of several handshakes may have mixed: that proves nothing.
            self._refusals = 0
            raise

    async def _shake_hands(self, exchange: Exchange) -> None:
        """Do a handshake."""
        handshake = ClientHandshake(self._key, self._identity)
        flight = await exchange(
            _envelope(_RequestCode.HANDSHAKE, handshake.hello, handshake.answer)
        )
        self._meter_has_session = True
        sessions: list[TlsSession] = []

        def finish(records: bytes) -> bytes:
            sessions.append(handshake.finish(records))
            return b""

        try:
            await exchange(_envelope(_RequestCode.HANDSHAKE_CONTINUED, flight, finish))
        except _KeyRefusedError as err:
            raise self._key_refused() from err
        except TlsAlertError as err:
            if err.alert in _KEY_REFUSED:
                raise self._key_refused() from err
            raise
        self._refusals = 0
        (self._session,) = sessions

    @override
    def seal(self, packet: bytes, sequence_number: int) -> Envelope:
        if self._session is None:
            raise TlsError("There is no TLS session")
        return _envelope(
            _RequestCode.TABLE, self._session.seal(packet), self._session.open
        )

    @override
    def forget(self) -> None:
        self._session = None

    @override
    def farewell(self) -> Envelope | None:
        self._session = None
        if not self._meter_has_session:
            return None
        self._meter_has_session = False
        # The message needs at least one byte of data, any.
        return Envelope(
            _RequestCode.TERMINATE.to_bytes() + b"\0", bytes, repeatable=False
        )

    def _key_refused(self) -> KeyRefusedError | TlsError:
        self._refusals += 1
        if self._refusals < _REFUSALS:
            return TlsError("The meter did not accept the key")
        return KeyRefusedError(
            "The meter refuses the key: compare it with the grid company's letter "
            "(16 to 20 characters, case matters), and whether it is the "
            "basic or the advanced key"
        )


class _KeyRefusedError(TlsError):
    """The meter answered "invalid identity or key"."""


def _envelope(
    code: _RequestCode, records: bytes, open_records: Callable[[bytes], bytes]
) -> Envelope:
    """Wrap records; a message of a session that was lost must not be repeated."""

    def unwrap(message: bytes) -> bytes:
        if len(message) > MESSAGE_LIMIT:
            raise UnverifiedReplyError("A reply is longer than a message can be")
        if message[:1] == ResponseCode.OK.to_bytes():
            return open_records(message[1:])
        raise _refused(code, message)

    return Envelope(code.to_bytes() + records, unwrap, repeatable=False)


def _refused(code: _RequestCode, message: bytes) -> UnverifiedReplyError | TlsError:
    """Return the error for a reply whose code is not success."""
    if not message or message[0] not in ResponseCode:
        return UnverifiedReplyError("The reply does not start with a response code")
    answer = f"0x{message[0]:02X}"
    if code is _RequestCode.HANDSHAKE:
        return TlsUnsupportedError(
            f"The meter does not start a TLS session ({answer}): it may not support TLS"
        )
    match message[0]:
        case ResponseCode.NO_PERMISSION:
            return _KeyRefusedError(
                f"The meter refuses the TLS identity or key ({answer})"
            )
        case ResponseCode.NO_SESSION:
            return TlsError(f"The meter has ended the TLS session ({answer})")
    return TlsError(f"The meter reports a TLS failure ({answer})")
