"""Whether there is an optical port of a meter at the other end of a line."""

from ..errors import NoReplyError, UnverifiedReplyError
from ..host_clock import HOST_CLOCK, HostClock
from ..statistics import LinkStatistics
from .line import Line
from .services import IDENTIFICATION
from .session import Session

_FAREWELL = 6.0
"""The longest that ending may take, in seconds."""


async def probe_optical(url: str, *, clock: HostClock = HOST_CLOCK) -> bool:
    """Return whether an optical port answers, which needs no key.

    What was begun is ended, and the port closed. Raises PortError.
    """
    line = Line(url, statistics=LinkStatistics(), clock=clock)
    try:
        await line.open()
        async with line.turn():
            await line.begin()
            await line.exchange(IDENTIFICATION, is_first=True)
    except (NoReplyError, UnverifiedReplyError):
        return False
    else:
        return True
    finally:
        await line.close(Session(line, clock).abandon, _FAREWELL)
