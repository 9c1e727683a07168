"""RC4 mode: digest mode with encrypted messages (guide, "Encryption").

It hides the readings from a casual eavesdropper but does not protect against an able
one: neither RC4 nor the digest is secure.
"""

from typing import override

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher

from . import MESSAGE_LIMIT, REPLY_HEAD, Envelope, Security
from .digest import is_genuine, plain_refusal, strong_span
from .digest_function import DIGEST_LENGTH, DigestKey

_CONSTANT = bytes.fromhex("388B8FBC36A8558587AFC90FB23A3B99")
"""What the MEP key encrypts to make the encryption key."""


class Rc4Security(Security):
    """Authenticates as digest mode does, and encrypts requests and replies."""

    reply_capacity = MESSAGE_LIMIT - DIGEST_LENGTH - REPLY_HEAD

    def __init__(self, key: bytes) -> None:
        """Initialize with the 16 bytes of the key."""
        self._digest_key = DigestKey(key)
        self._encryption_key = _Rc4Key(_Rc4Key(key).encrypt(_CONSTANT))

    @override
    def protected_span(self, offset: int, count: int) -> tuple[int, int]:
        return strong_span(offset, count, self.reply_capacity)

    @override
    def seal(self, packet: bytes, sequence_number: int) -> Envelope:
        covered = packet + sequence_number.to_bytes(4)
        digest = self._digest_key.digest(covered)
        message_key = self._encryption_key.of_message(digest)

        def unwrap(message: bytes) -> bytes:
            # The reply goes on in the key stream where the request ended.
            body = message_key.encrypt(message[:-DIGEST_LENGTH], skip=len(covered))
            if is_genuine(self._digest_key, covered, body, message):
                return body
            # "Authentication failure" is the one reply that is never encrypted. An
            # encrypted one may look like it, so it comes second.
            return plain_refusal(message)

        return Envelope(message_key.encrypt(covered) + digest, unwrap)


class _Rc4Key:
    """A key that is never shown; encrypting and decrypting are the same."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def encrypt(self, data: bytes, skip: int = 0) -> bytes:
        """Return data combined with the key stream, from byte skip of that on."""
        encryptor = Cipher(ARC4(self._key), mode=None).encryptor()
        return encryptor.update(bytes(skip) + data)[skip:]

    def of_message(self, digest: bytes) -> "_Rc4Key":
        """Return the key of a request with a digest, and of the reply to it."""
        mixed = (a ^ b for a, b in zip(self._key, digest, strict=False))
        return _Rc4Key(bytes(mixed) + self._key[len(digest) :])
