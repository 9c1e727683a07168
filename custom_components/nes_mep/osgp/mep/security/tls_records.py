"""The record layer of TLS 1.2, with AES-GCM (RFC 5246, section 6; RFC 5288)."""

from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ...errors import TlsError, UnverifiedReplyError

VERSION = b"\x03\x03"
"""TLS 1.2."""

_HEADER = 5
_EXPLICIT_NONCE = 8
_TAG = 16
CIPHER_OVERHEAD = _HEADER + _EXPLICIT_NONCE + _TAG
"""Bytes that encryption adds to the content of a record."""


class ContentType(IntEnum):
    """What a record holds."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23


class Alert(IntEnum):
    """Why the other side ends a session: the alerts that a PSK server may send."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    ILLEGAL_PARAMETER = 47
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    NO_RENEGOTIATION = 100
    UNKNOWN_PSK_IDENTITY = 115


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it travels: its content type and what is behind its header."""

    content_type: int
    fragment: bytes

    def to_bytes(self) -> bytes:
        """Return the record with its header."""
        return (
            self.content_type.to_bytes()
            + VERSION
            + len(self.fragment).to_bytes(2)
            + self.fragment
        )


def parse_records(data: bytes) -> list[Record]:
    """Cut a message into its records, at least one.

    Raises UnverifiedReplyError unless they have the right version and end where the
    message ends, and are of known types.
    """
    records: list[Record] = []
    start = 0
    while start < len(data) or not records:
        header = data[start : start + _HEADER]
        end = start + _HEADER + int.from_bytes(header[3:])
        if len(header) < _HEADER or end > len(data):
            raise UnverifiedReplyError("A TLS record is incomplete")
        if header[0] not in ContentType or header[1:3] != VERSION:
            raise UnverifiedReplyError("The reply is not a TLS 1.2 record")
        records.append(Record(header[0], data[start + _HEADER : end]))
        start = end
    return records


class TlsAlertError(TlsError):
    """The other side ended the session with an alert; None if that is not legible."""

    def __init__(self, fragment: bytes) -> None:
        """Initialize with the fragment of the alert record, decrypted."""
        legible = len(fragment) == 2 and fragment[0] in (1, 2)
        self.alert = fragment[1] if legible else None
        if self.alert is None:
            name = "unreadable alert"
        elif self.alert in Alert:
            name = Alert(self.alert).name.lower().replace("_", " ")
        else:
            name = f"alert {self.alert}"
        super().__init__(f"The meter ended the TLS session: {name}")


class RecordCipher:
    """Encrypts or decrypts the records of one direction, one after the other.

    A record is bound to its place by the sequence number that both sides count: one
    that is repeated, left out or out of order is not genuine.
    """

    __slots__ = ("_cipher", "_salt", "_sequence_number")

    def __init__(self, key: bytes, salt: bytes) -> None:
        """Initialize with a key (32 bytes) and the nonce's implicit part (4 bytes)."""
        self._cipher = AESGCM(key)
        self._salt = salt
        self._sequence_number = 0

    def encrypt(self, content_type: ContentType, plain: bytes) -> Record:
        """Return the next record."""
        # The sequence number never repeats under a key, so it is a good nonce.
        nonce = self._sequence_number.to_bytes(_EXPLICIT_NONCE)
        sealed = self._cipher.encrypt(
            self._salt + nonce, plain, self._associated_data(content_type, len(plain))
        )
        self._sequence_number += 1
        return Record(content_type, nonce + sealed)

    def decrypt(self, record: Record) -> bytes:
        """Return the content of the next record, or raise UnverifiedReplyError.

        The other side is free in the choice of its explicit nonces (RFC 5288).
        """
        length = len(record.fragment) - _EXPLICIT_NONCE - _TAG
        if length < 0:
            raise UnverifiedReplyError("An encrypted TLS record is too short")
        nonce = record.fragment[:_EXPLICIT_NONCE]
        try:
            plain = self._cipher.decrypt(
                self._salt + nonce,
                record.fragment[_EXPLICIT_NONCE:],
                self._associated_data(record.content_type, length),
            )
        except InvalidTag:
            raise UnverifiedReplyError(
                "A TLS record is forged, damaged or out of order"
            ) from None
        self._sequence_number += 1
        return plain

    def _associated_data(self, content_type: int, length: int) -> bytes:
        """Return what is authenticated along: number, type, version and length."""
        return (
            self._sequence_number.to_bytes(8)
            + content_type.to_bytes()
            + VERSION
            + length.to_bytes(2)
        )
