"""The issue of a link on which many replies arrive damaged, though it works."""

from collections import deque
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..link.outages import OutageLog
from ..osgp import HostClock, LinkStatistics
from . import LINK_DISTURBED, async_clear_issue, async_raise_issue

_PERIOD: Final = 3600.0

# A sound cable damages no reply in weeks, and a motor that starts, or a plug that is
# pulled, a few. Whoever changes replies on the line without the key fails about three
# times for each change that passes. So with ten, noise is worth telling about, and two
# or three forged values may have come through.
_MANY: Final = 10
_FEW: Final = 2


class DamageIssue:
    """Detects that many replies were damaged within an hour, though polls succeed.

    An event tells it at once, and the issue if it goes on for another hour. Both are
    over when few replies were damaged within an hour. What made a poll fail does not
    count: that is told as an outage.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, clock: HostClock, log: OutageLog
    ) -> None:
        """Start with no damage known; log tells the event."""
        self._hass = hass
        self._entry = entry
        self._clock = clock
        self._log = log
        self._statistics: LinkStatistics | None = None
        self._counted = 0
        self._recent: deque[tuple[float, int]] = deque()
        self._disturbed_since: float | None = None

    @callback
    def async_poll_ended(self, statistics: LinkStatistics, *, has_failed: bool) -> None:
        """Record what the link had counted at the end of a poll."""
        now = self._clock.time()
        if (new := self._count(statistics)) and not has_failed:
            self._recent.append((now, new))
        while self._recent and now - self._recent[0][0] >= _PERIOD:
            self._recent.popleft()
        damaged = sum(count for _, count in self._recent)
        if damaged <= _FEW:
            if self._disturbed_since is not None:
                self._disturbed_since = None
                async_clear_issue(self._hass, self._entry, LINK_DISTURBED)
        elif damaged < _MANY:
            pass
        elif self._disturbed_since is None:
            self._disturbed_since = now
            self._log.async_tell_disturbed(damaged, statistics)
        elif now - self._disturbed_since >= _PERIOD:
            async_raise_issue(self._hass, self._entry, LINK_DISTURBED)

    def _count(self, statistics: LinkStatistics) -> int:
        """Return how many replies were damaged since the last time."""
        if statistics is not self._statistics:
            # The meter was reopened, and its counters started again.
            self._statistics, self._counted = statistics, 0
        new = statistics.digest_failures - self._counted
        self._counted += new
        return new
