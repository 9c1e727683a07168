"""Values that tests use."""

from datetime import UTC, datetime

KEY = "MEP key of a test!!"
"""19 characters, of which 16 count."""

NOON = datetime(2026, 6, 21, 12, 0, tzinfo=UTC)


class Clock:
    """The clock of a simulated meter, which stands still until a test moves it."""

    def __init__(self) -> None:
        """Start at noon."""
        self.now = NOON

    def __call__(self) -> datetime:
        """Return the time, in UTC."""
        return self.now
