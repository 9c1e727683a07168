"""What is known of an optical port from one link to the next."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from ..key import OpticalKey


@dataclass(slots=True)
class ShownKey:
    """What came of showing a key to the meter.

    refusal says why the meter refused it, None if it did not. is_proven says whether it
    was ever accepted, and unanswered how often it was shown since, without an answer.
    """

    refusal: str | None = None
    is_proven: bool = False
    unanswered: int = 0


class OpticalMemory:
    """What is known of an optical port, for all links to it, one after the other.

    A key that was refused is not shown again, and a port that may be ignoring everybody
    is left in peace. failures is the number of beginnings that failed by silence, and
    until peace_until there is no other; at forgotten_at the meter has forgotten every
    session. Both are seconds of the clock of the links.
    """

    def __init__(self, on_refusal: Callable[[], None] | None = None) -> None:
        """Start with nothing known; on_refusal is called when a key was refused."""
        self.failures = 0
        self.peace_until = -inf
        self.forgotten_at = -inf
        self._keys: dict[OpticalKey, ShownKey] = {}
        self._on_refusal = on_refusal

    def of_key(self, key: bytes) -> ShownKey:
        """Return what came of showing a key."""
        return self._keys.setdefault(_as_shown(key), ShownKey())

    def refusal(self, key: bytes) -> str | None:
        """Return why the meter refused a key, None if it did not."""
        shown = self._keys.get(_as_shown(key))
        return None if shown is None else shown.refusal

    def refuse(self, shown: ShownKey, reason: str) -> None:
        """Record that the meter refused a key."""
        shown.refusal = reason
        if self._on_refusal is not None:
            self._on_refusal()

    def recall(self, key: bytes, refusal: str) -> None:
        """Record that a key was refused before a restart, unless more is known of it."""
        self._keys.setdefault(_as_shown(key), ShownKey(refusal=refusal))

    def allow(self, key: bytes) -> None:
        """Allow a key to be shown again, because a person has entered it."""
        self._keys[_as_shown(key)] = ShownKey()

    def end_peace(self) -> None:
        """Allow the port to be asked at once, because a person wants it."""
        self.failures = 0
        self.peace_until = -inf


def _as_shown(key: bytes) -> OpticalKey:
    """Return a key without what fills it up when it is shown."""
    return OpticalKey(key.rstrip(b"\0"))
