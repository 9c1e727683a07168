"""The issue of a meter that has not answered for a day, though its port opens."""

from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from ..link.storage import MeterStorage
from ..osgp import MeterError, NoReplyError, PortError
from . import PORT_SILENT, async_clear_issue, async_raise_issue

_SILENCE: Final = timedelta(days=1)


class SilenceIssue:
    """Tells when the meter has not answered for a day, though its port opens."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, memory: MeterStorage
    ) -> None:
        """Start with what is remembered."""
        self._hass = hass
        self._entry = entry
        self._memory = memory

    @callback
    def async_failed(self, err: MeterError) -> None:
        """Take that the meter could not be read."""
        if isinstance(err, PortError):
            return
        if not isinstance(err, NoReplyError):
            self.async_heard()
            return
        facts, now = self._memory.facts, dt_util.utcnow()
        since = dt_util.parse_datetime(facts.get("silent_since", "")) or now
        # A machine without a clock of its own starts in the past.
        since = min(since, now)
        self._memory.async_change({**facts, "silent_since": since.isoformat()})
        if now - since >= _SILENCE:
            local = dt_util.as_local(since)
            async_raise_issue(
                self._hass,
                self._entry,
                PORT_SILENT,
                since=local.isoformat(" ", "minutes")[:16],
            )

    @callback
    def async_heard(self) -> None:
        """Take that the meter answered, whatever it said."""
        facts = self._memory.facts
        if "silent_since" in facts:
            facts = facts.copy()
            del facts["silent_since"]
            self._memory.async_change(facts)
            async_clear_issue(self._hass, self._entry, PORT_SILENT)
