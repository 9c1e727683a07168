"""The request for a new key of the MEP, which Home Assistant makes in a reauth flow."""

from typing import Final

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..osgp import HostClock, KeyRefusedError, MeterError

# A disturbed line can make the meter refuse a good key for a while. So a key counts as
# refused only after this many reads, and this many seconds after the first of them.
_REFUSALS: Final = 3
_REFUSED_FOR: Final = 60.0

_LONGEST_PAUSE: Final = 3600.0


class KeyQuestion:
    """Asks for another key while the meter refuses the one of its entry.

    That one is tried again meanwhile, ever more seldom. When it works, the question is
    withdrawn.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, clock: HostClock
    ) -> None:
        """Start with a key that was not refused."""
        self._hass = hass
        self._entry = entry
        self._clock = clock
        self._refusals = 0
        self._refused_since = 0.0

    @callback
    def async_succeeded(self) -> None:
        """Record a successful read and withdraw the request, if there is one."""
        if not self._refusals:
            return
        self._refusals = 0
        for flow in self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH}):
            self._hass.config_entries.flow.async_abort(flow["flow_id"])

    @callback
    def async_failed(self, err: MeterError) -> float | None:
        """Record a failed read.

        Return the seconds until the key should be tried again, None as long as it does
        not count as refused.
        """
        if not isinstance(err, KeyRefusedError):
            return None
        now = self._clock.time()
        if not self._refusals:
            self._refused_since = now
        self._refusals += 1
        refused_for = now - self._refused_since
        if self._refusals < _REFUSALS or refused_for < _REFUSED_FOR:
            return None
        # Each pause is as long as all before it.
        return min(refused_for, _LONGEST_PAUSE)

    @callback
    def async_ask(self) -> None:
        """Ask for another key, unless that was done or the entry is being changed."""
        self._entry.async_start_reauth(self._hass)
