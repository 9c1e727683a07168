"""A key that the meter refused, as it is stored: to be recognized, not to be read."""

from hashlib import blake2b
from hmac import compare_digest
from secrets import token_hex
from typing import TypedDict


class StoredRefusal(TypedDict):
    """A refused key, as a salted digest, and what the meter said."""

    salt: str
    digest: str
    reason: str


def stored_refusal(key: bytes, reason: str) -> StoredRefusal:
    """Return what is to be stored of a key that the meter refused."""
    salt = token_hex(blake2b.SALT_SIZE)
    return StoredRefusal(salt=salt, digest=_digest(key, salt), reason=reason)


def refuses(stored: StoredRefusal, key: bytes) -> bool:
    """Return whether it is this key that was refused."""
    return compare_digest(stored["digest"], _digest(key, stored["salt"]))


def _digest(key: bytes, salt: str) -> str:
    return blake2b(key, salt=bytes.fromhex(salt)).hexdigest()
