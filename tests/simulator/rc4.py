"""RC4 encryption of messages, written from the guide (appendix B) alone."""

from collections.abc import Iterable, Iterator
from itertools import islice

_CONSTANT = bytes.fromhex("388B8FBC36A8558587AFC90FB23A3B99")


def key_stream(key: bytes) -> Iterator[int]:
    """Yield the bytes of the RC4 key stream."""
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    i = j = 0
    while True:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        yield state[(state[i] + state[j]) % 256]


def xor(data: bytes, stream: Iterable[int]) -> bytes:
    """Return data with the next bytes of a stream laid over it."""
    return bytes(a ^ b for a, b in zip(data, islice(stream, len(data)), strict=True))


def message_stream(key: bytes, digest: bytes) -> Iterator[int]:
    """Return the key stream of a request with that digest, and of its reply."""
    encryption_key = xor(_CONSTANT, key_stream(key))
    return key_stream(xor(encryption_key[:8], digest) + encryption_key[8:])
