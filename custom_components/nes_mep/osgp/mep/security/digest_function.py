"""The authentication digest of the MEP protocol (guide, "Authentication")."""

from collections.abc import Sequence

from ...key import KEY_LENGTH

DIGEST_LENGTH = 8

PASS_LENGTH = 24 * 8
"""Steps of one pass: one and a half times through the key, a step a bit."""

type _StepTable = bytes
"""What a step adds to the neighbouring cell, for each value of its own cell."""


def _step_tables(bit: int) -> tuple[_StepTable, ...]:
    """Return the tables of the cells 7 to 0 for a key bit."""

    def added(value: int, cell: int) -> int:
        complement = ~(value + cell) & 0xFF
        if bit:
            return (complement << 1 | complement >> 7) & 0xFF
        return -(complement >> 1 | complement << 7) & 0xFF

    return tuple(
        bytes(added(value, cell) for value in range(256)) for cell in range(7, -1, -1)
    )


_TABLES = (_step_tables(0), _step_tables(1))


class DigestKey:
    """A MEP key, prepared for computing digests."""

    __slots__ = ("_schedule",)

    def __init__(self, key: bytes) -> None:
        """Prepare a key of 16 bytes, or raise ValueError."""
        if len(key) != KEY_LENGTH:
            raise ValueError(f"A MEP key has {KEY_LENGTH} bytes, this has {len(key)}")
        self._schedule: Sequence[tuple[_StepTable, ...]] = [
            tuple(_TABLES[byte >> bit & 1][bit] for bit in range(8))
            for byte in key + key[: KEY_LENGTH // 2]
        ]

    def digest(self, data: bytes) -> bytes:
        """Return the digest, 8 bytes, of what a message covers.

        A request covers its body and sequence number, a reply the covered bytes
        of its request directly followed by its own body.
        """
        passes = max(1, -(-len(data) // PASS_LENGTH))
        padded = data.ljust(passes * PASS_LENGTH, b"\0")
        d0 = d1 = d2 = d3 = d4 = d5 = d6 = d7 = 0
        position = 0
        for _ in range(passes):
            # One byte of the key: a step for each of its bits, on the cells 7 to 0.
            for t7, t6, t5, t4, t3, t2, t1, t0 in self._schedule:
                m7, m6, m5, m4, m3, m2, m1, m0 = padded[position : position + 8]
                position += 8
                d7 = (d0 + m7 + t7[d7]) & 0xFF
                d6 = (d7 + m6 + t6[d6]) & 0xFF
                d5 = (d6 + m5 + t5[d5]) & 0xFF
                d4 = (d5 + m4 + t4[d4]) & 0xFF
                d3 = (d4 + m3 + t3[d3]) & 0xFF
                d2 = (d3 + m2 + t2[d2]) & 0xFF
                d1 = (d2 + m1 + t1[d1]) & 0xFF
                d0 = (d1 + m0 + t0[d0]) & 0xFF
        return bytes((d0, d1, d2, d3, d4, d5, d6, d7))
