"""The client's side of a TLS 1.2 handshake with a pre-shared key.

It offers one cipher suite, TLS_PSK_WITH_AES_256_GCM_SHA384, no resumption and no
renegotiation, and beside the signal of secure renegotiation (RFC 5746) one
extension, the extended master secret (RFC 7627), which a server may leave out.
"""

from dataclasses import dataclass
from enum import IntEnum
from hmac import compare_digest
from secrets import token_bytes
from typing import Self

from ...errors import UnverifiedReplyError
from .tls_records import (
    VERSION,
    ContentType,
    Record,
    RecordCipher,
    TlsAlertError,
    parse_records,
)
from .tls_secrets import MasterSecret, PreSharedKey
from .tls_session import TlsSession

_SUITE = b"\x00\xa9"
_RENEGOTIATION_SIGNAL = b"\x00\xff"
_NO_COMPRESSION = b"\x00"
_RANDOM_LENGTH = 32
_LONGEST_SESSION_ID = 32
_CHANGE_CIPHER_SPEC = Record(ContentType.CHANGE_CIPHER_SPEC, b"\x01")

_EXTENDED_MASTER_SECRET = 0x0017
_RENEGOTIATION_INFO = 0xFF01
_EXTENSIONS = {_EXTENDED_MASTER_SECRET: b"", _RENEGOTIATION_INFO: b"\x00"}
"""The extensions that a server may answer, with the one content each can have."""


class _MessageType(IntEnum):
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    SERVER_KEY_EXCHANGE = 12
    SERVER_HELLO_DONE = 14
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20


class ClientHandshake:
    """One handshake: hello is sent, answer and finish take the server's flights."""

    def __init__(self, key: PreSharedKey, identity: bytes) -> None:
        """Prepare the first flight for a key and the identity that names it."""
        self._key = key
        self._random = token_bytes(_RANDOM_LENGTH)
        self._identity = identity
        self._transcript = _message(
            _MessageType.CLIENT_HELLO,
            VERSION
            + self._random
            + _vector(b"", 1)
            + _vector(_SUITE + _RENEGOTIATION_SIGNAL, 2)
            + _vector(_NO_COMPRESSION, 1)
            + _vector(_EXTENDED_MASTER_SECRET.to_bytes(2) + _vector(b"", 2), 2),
        )
        self.hello = Record(ContentType.HANDSHAKE, self._transcript).to_bytes()
        self._expected: _Expected | None = None

    def answer(self, flight: bytes) -> bytes:
        """Return the second flight, after the server's first one.

        Raises TlsAlertError when the server refuses, and UnverifiedReplyError when this
        is not such a flight; another one can be tried then.
        """
        received = b"".join(
            _plain_handshake(record) for record in parse_records(flight)
        )
        server = _chosen_by_server(_messages(received))
        exchange = _message(
            _MessageType.CLIENT_KEY_EXCHANGE, _vector(self._identity, 2)
        )
        transcript = self._transcript + received + exchange
        master = MasterSecret(
            self._key,
            self._random,
            server.random,
            transcript if server.extended_master_secret else None,
        )
        sending, receiving = master.ciphers()
        finished = _message(
            _MessageType.FINISHED, master.verify_data(b"client finished", transcript)
        )
        self._expected = _Expected(
            verify_data=master.verify_data(b"server finished", transcript + finished),
            sending=sending,
            receiving=receiving,
        )
        return b"".join(
            record.to_bytes()
            for record in (
                Record(ContentType.HANDSHAKE, exchange),
                _CHANGE_CIPHER_SPEC,
                sending.encrypt(ContentType.HANDSHAKE, finished),
            )
        )

    def finish(self, flight: bytes) -> TlsSession:
        """Return the session, after the server's second flight; it has one try.

        Raises TlsAlertError when the server refuses, and UnverifiedReplyError when it
        does not prove that it has the key and saw the same handshake.
        """
        expected, self._expected = self._expected, None
        if expected is None:
            raise UnverifiedReplyError("Unexpected message: the TLS handshake is over")
        change, *records = parse_records(flight)
        if change.content_type == ContentType.ALERT:
            raise TlsAlertError(change.fragment)
        if change != _CHANGE_CIPHER_SPEC or any(
            record.content_type != ContentType.HANDSHAKE for record in records
        ):
            raise UnverifiedReplyError(
                "The reply is not the second flight of a TLS server"
            )
        received = b"".join(expected.receiving.decrypt(record) for record in records)
        match _messages(received):
            case [(_MessageType.FINISHED, verify_data)] if compare_digest(
                verify_data, expected.verify_data
            ):
                return TlsSession(expected.sending, expected.receiving)
        raise UnverifiedReplyError("The TLS handshake was changed on the way")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Expected:
    """What the client knows before the server's second flight; not to be shown."""

    verify_data: bytes
    sending: RecordCipher
    receiving: RecordCipher


@dataclass(frozen=True, slots=True, kw_only=True)
class _ServerHello:
    """What a server chose."""

    random: bytes
    extended_master_secret: bool

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Parse the message's body; raise UnverifiedReplyError if it is invalid."""
        reader = _Reader(body)
        version = reader.take(len(VERSION))
        random = reader.take(_RANDOM_LENGTH)
        # A session that could be resumed later; this client never does.
        session_id = reader.vector(1)
        choice = reader.take(len(_SUITE) + len(_NO_COMPRESSION))
        if version != VERSION or choice != _SUITE + _NO_COMPRESSION:
            raise UnverifiedReplyError(
                "The meter chose a TLS version or cipher that was not offered"
            )
        extensions: dict[int, bytes] = {}
        rest = _Reader(reader.last_vector(2))
        while rest.left:
            kind = int.from_bytes(rest.take(2))
            content = rest.vector(2)
            if kind in extensions or _EXTENSIONS.get(kind) != content:
                raise UnverifiedReplyError(
                    f"The reply to TLS extension 0x{kind:04X} is not as requested"
                )
            extensions[kind] = content
        if _RENEGOTIATION_INFO not in extensions:
            raise UnverifiedReplyError(
                "The meter does not support secure renegotiation"
            )
        if len(session_id) > _LONGEST_SESSION_ID:
            raise UnverifiedReplyError("A TLS session id is too long")
        return cls(
            random=random,
            extended_master_secret=_EXTENDED_MASTER_SECRET in extensions,
        )


def _chosen_by_server(messages: list[tuple[int, bytes]]) -> _ServerHello:
    """Return what a server chose in its first flight; raise UnverifiedReplyError."""
    match messages:
        case [
            (_MessageType.SERVER_HELLO, hello),
            (_MessageType.SERVER_HELLO_DONE, b""),
        ]:
            return _ServerHello.parse(hello)
        case [
            (_MessageType.SERVER_HELLO, hello),
            (_MessageType.SERVER_KEY_EXCHANGE, hint),
            (_MessageType.SERVER_HELLO_DONE, b""),
        ]:
            # A hint at the key to use; that is known, so it is only taken apart.
            _Reader(hint).last_vector(2)
            return _ServerHello.parse(hello)
    raise UnverifiedReplyError(
        "The reply is not the first flight of a TLS server with PSK"
    )


class _Reader:
    """Reads bytes from the front; raises UnverifiedReplyError if there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def left(self) -> int:
        return len(self._data)

    def take(self, count: int) -> bytes:
        if count > len(self._data):
            raise UnverifiedReplyError("A TLS message is too short")
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def vector(self, length_size: int) -> bytes:
        """Return the bytes of a vector, which follow their length."""
        return self.take(int.from_bytes(self.take(length_size)))

    def last_vector(self, length_size: int) -> bytes:
        """Return the bytes of a vector with which the data must end."""
        taken = self.vector(length_size)
        if self._data:
            raise UnverifiedReplyError("A TLS message is too long")
        return taken


def _vector(data: bytes, length_size: int) -> bytes:
    return len(data).to_bytes(length_size) + data


def _message(kind: _MessageType, body: bytes) -> bytes:
    return kind.to_bytes() + _vector(body, 3)


def _messages(data: bytes) -> list[tuple[int, bytes]]:
    """Return type and body of handshake messages; records may cut them anywhere."""
    reader = _Reader(data)
    messages = []
    while reader.left:
        kind = reader.take(1)[0]
        messages.append((kind, reader.vector(3)))
    return messages


def _plain_handshake(record: Record) -> bytes:
    """Return what a record adds to the handshake messages, before encryption."""
    if record.content_type == ContentType.ALERT:
        raise TlsAlertError(record.fragment)
    if record.content_type != ContentType.HANDSHAKE or not record.fragment:
        raise UnverifiedReplyError("Unexpected TLS record")
    return record.fragment
