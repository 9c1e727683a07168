"""The issue of a meter's clock that is off by more than a minute."""

from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..descriptions import CLOCK_DRIFT
from ..osgp import HostClock
from . import CLOCK_WRONG, async_clear_issue, async_raise_issue

_WRONG: Final = 60.0
_RIGHT: Final = 45.0
"""Seconds of drift. Between the two nothing changes, so that the issue does not come
and go at the limit."""
_CERTAIN_AFTER: Final = 600.0
"""Seconds that a clock must have been wrong: after a start, Home Assistant's own clock
may not be set yet."""

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class ClockIssue:
    """Raises the issue when the meter's clock is off by more than a minute."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, clock: HostClock
    ) -> None:
        """Start with no drift known."""
        self._clock = clock
        self._hass = hass
        self._entry = entry
        self._wrong_since: float | None = None

    @property
    def contexts(self) -> frozenset[str]:
        """What must be read even if no entity shows it: a clock that may be wrong."""
        return (
            frozenset() if self._wrong_since is None else frozenset({CLOCK_DRIFT.key})
        )

    @callback
    def async_read(self, drift: float) -> None:
        """Record how many seconds the meter's clock is ahead."""
        now = self._clock.time()
        if abs(drift) <= _RIGHT:
            if self._wrong_since is not None:
                self._wrong_since = None
                async_clear_issue(self._hass, self._entry, CLOCK_WRONG)
        elif abs(drift) <= _WRONG:
            pass
        elif self._wrong_since is None:
            self._wrong_since = now
        elif now - self._wrong_since >= _CERTAIN_AFTER:
            time = dt_util.as_local(self._clock.now())
            async_raise_issue(
                self._hass,
                self._entry,
                CLOCK_WRONG,
                time=f"{time:%Y-%m-%d %H:%M:%S}",
                meter_time=f"{time + timedelta(seconds=drift):%Y-%m-%d %H:%M:%S}",
                drift=_readable(drift),
            )


def _readable(drift: float) -> str:
    """Return seconds as "+7 min 3 s": what is the same in every language."""
    left = round(abs(drift))
    parts: list[str] = []
    for seconds, unit in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            parts.append(f"{count} {unit}")
    return ("+" if drift > 0 else "\N{MINUS SIGN}") + " ".join(parts[:2])
