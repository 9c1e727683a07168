"""The issue of a meter that has not answered for a day, though its port opens."""

from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..link.storage import MeterStorage
from ..osgp import HostClock, MeterError, NoReplyError, PortError
from . import PORT_SILENT, async_clear_issue, async_raise_issue

_SILENCE: Final = timedelta(days=1)


class SilenceIssue:
    """Raises the issue when the silence has lasted a day, across restarts."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        storage: MeterStorage,
        clock: HostClock,
    ) -> None:
        """Start with what is stored."""
        self._hass = hass
        self._entry = entry
        self._storage = storage
        self._clock = clock

    @callback
    def async_failed(self, err: MeterError) -> None:
        """Record a failed read."""
        if isinstance(err, PortError):
            return
        if not isinstance(err, NoReplyError):
            self.async_answered()
            return
        facts, now = self._storage.facts, self._clock.now()
        since = dt_util.parse_datetime(facts.get("silent_since", "")) or now
        # A machine without a battery-backed clock starts in the past.
        since = min(since, now)
        self._storage.async_change({"silent_since": since.isoformat()})
        if now - since >= _SILENCE:
            local = dt_util.as_local(since)
            async_raise_issue(
                self._hass,
                self._entry,
                PORT_SILENT,
                since=local.isoformat(" ", "minutes")[:16],
            )

    @callback
    def async_answered(self) -> None:
        """Record that the meter answered, whatever it said."""
        if "silent_since" in self._storage.facts:
            self._storage.async_forget("silent_since")
            async_clear_issue(self._hass, self._entry, PORT_SILENT)
