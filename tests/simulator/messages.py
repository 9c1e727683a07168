"""A message of the grid company on the meter's display (ET55)."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A text of 8 characters, and when it is shown; points are bits, 0 on the right.

    An end before the start cancels it. dismissed is what the push button does.
    """

    text: str
    start: datetime
    end: datetime
    code: str = ""
    points: int = 0
    dismissed: bool = False
