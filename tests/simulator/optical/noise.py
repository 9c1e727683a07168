"""Bytes that are damaged on their way through the air, at random but repeatable."""

from random import Random

KINDS = ("flip", "lose", "double")


class Noise:
    """Damages each byte with a probability, ``rate``, in one of some ways.

    ``flip`` inverts one bit, ``lose`` leaves the byte out, ``double`` sends it twice.
    """

    def __init__(self, random: Random) -> None:
        """Start with clean air."""
        self.rate = 0.0
        self.kinds: tuple[str, ...] = KINDS
        self.hits = 0
        self._random = random

    def damaged(self, data: bytes) -> bytes:
        """Return what arrives of some bytes."""
        if not self.rate:
            return data
        return b"".join(map(self._byte, data))

    def _byte(self, byte: int) -> bytes:
        if self._random.random() >= self.rate:
            return bytes([byte])
        self.hits += 1
        match self._random.choice(self.kinds):
            case "flip":
                return bytes([byte ^ 1 << self._random.randrange(8)])
            case "lose":
                return b""
            case _:
                return bytes([byte, byte])
