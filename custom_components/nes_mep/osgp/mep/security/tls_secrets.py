"""The secrets of TLS 1.2 with a pre-shared key (RFC 5246, RFC 4279, RFC 7627)."""

import hashlib
import hmac
from typing import Final

from .tls_records import RecordCipher

_HASH: Final = "sha384"
"""The hash of the one cipher suite."""

_MASTER_LENGTH = 48
_VERIFY_LENGTH = 12
_KEY_LENGTH = 32
_SALT_LENGTH = 4


class Secret:
    """A secret that others are derived from; it cannot be read or shown."""

    __slots__ = ("_hmac",)

    def __init__(self, secret: bytes) -> None:
        """Initialize with the secret."""
        self._hmac = hmac.new(secret, digestmod=_HASH)

    def derive(self, label: bytes, seed: bytes, length: int) -> bytes:
        """Return bytes by the pseudorandom function (RFC 5246, section 5)."""
        seed = label + seed
        link = seed
        output = b""
        while len(output) < length:
            link = self._keyed_hash(link)
            output += self._keyed_hash(link + seed)
        return output[:length]

    def _keyed_hash(self, data: bytes) -> bytes:
        keyed = self._hmac.copy()
        keyed.update(data)
        return keyed.digest()


class PreSharedKey(Secret):
    """The premaster secret that a pre-shared key makes (RFC 4279, section 2)."""

    __slots__ = ()

    def __init__(self, key: bytes) -> None:
        """Initialize with the key."""
        length = len(key).to_bytes(2)
        super().__init__(length + bytes(len(key)) + length + key)


class MasterSecret(Secret):
    """The master secret of one session."""

    __slots__ = ("_randoms",)

    def __init__(
        self,
        key: PreSharedKey,
        client_random: bytes,
        server_random: bytes,
        transcript: bytes | None,
    ) -> None:
        """Derive it; with the handshake messages it is the extended one (RFC 7627)."""
        self._randoms = client_random, server_random
        if transcript is None:
            label, seed = b"master secret", client_random + server_random
        else:
            label, seed = b"extended master secret", _hash(transcript)
        super().__init__(key.derive(label, seed, _MASTER_LENGTH))

    def verify_data(self, label: bytes, transcript: bytes) -> bytes:
        """Return what proves a side's view of all handshake messages so far."""
        return self.derive(label, _hash(transcript), _VERIFY_LENGTH)

    def ciphers(self) -> tuple[RecordCipher, RecordCipher]:
        """Return fresh ciphers for what the client and what the server sends."""
        client_random, server_random = self._randoms
        block = self.derive(
            b"key expansion",
            server_random + client_random,
            2 * (_KEY_LENGTH + _SALT_LENGTH),
        )
        keys, salts = block[: 2 * _KEY_LENGTH], block[2 * _KEY_LENGTH :]
        return (
            RecordCipher(keys[:_KEY_LENGTH], salts[:_SALT_LENGTH]),
            RecordCipher(keys[_KEY_LENGTH:], salts[_SALT_LENGTH:]),
        )


def _hash(data: bytes) -> bytes:
    return hashlib.new(_HASH, data).digest()
