"""The authentication digest, written from the guide (appendix A) alone."""

from functools import lru_cache

_STEPS = 192  # one and a half times through the 16 bytes of the key, bit by bit


def _rotated_left(value: int) -> int:
    return (value << 1 | value >> 7) & 0xFF


def _rotated_right_negated(value: int) -> int:
    return -(value >> 1 | value << 7) & 0xFF


# What a step adds for a key bit of 0 and of 1, by (cell + cell number) modulo 256.
_TERMS = (
    bytes(_rotated_right_negated(~x & 0xFF) for x in range(256)),
    bytes(_rotated_left(~x & 0xFF) for x in range(256)),
)


@lru_cache(maxsize=64)
def _pass(key: bytes) -> tuple[tuple[int, int, bytes], ...]:
    """Return cell, neighbour and term table for each of the steps of one pass."""
    return tuple(
        (7 - step % 8, (8 - step % 8) % 8, _TERMS[key[step // 8 % 16] >> step % 8 & 1])
        for step in range(_STEPS)
    )


def digest(key: bytes, request: bytes, reply: bytes = b"") -> bytes:
    """Return the 8 bytes over a covered request, or over it and the reply to it.

    The data is padded with zeros to whole passes of the key, at least one.
    """
    if len(key) != 16:
        raise ValueError("a MEP key has 16 bytes")
    covered = request + reply
    passes = max(1, -(-len(covered) // _STEPS))
    covered = covered.ljust(passes * _STEPS, b"\0")
    cells = [0] * 8
    for (cell, neighbour, terms), byte in zip(
        _pass(key) * passes, covered, strict=True
    ):
        term = terms[cells[cell] + cell & 0xFF]
        cells[cell] = cells[neighbour] + byte + term & 0xFF
    return bytes(cells)
