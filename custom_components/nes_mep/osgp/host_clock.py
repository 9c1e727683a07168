"""The clock of this computer: the only source of time for the client."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
import time


class HostClock:
    """Tells the time and waits.

    The client gets one when a meter is opened, so that a program or a test can pass
    another.
    """

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return datetime.now(UTC)

    def time(self) -> float:
        """Return seconds that never run backwards, for measuring durations."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context whose body raises TimeoutError after a number of seconds."""
        return asyncio.timeout(seconds)


HOST_CLOCK = HostClock()
"""The clock that is used by default."""
