"""The key of an optical port that the meter refused: it is not shown again by itself."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..link.access import key_of
from ..link.refused_key import refuses, stored_refusal
from ..link.storage import MeterStorage
from ..osgp import OpticalMemory


class OpticalKeyRefusal:
    """Remembers over restarts that the meter refused the key of its entry.

    Each attempt with a wrong key raises an alarm in the meter, and some can lock the
    port. Home Assistant asks for another key at once. memory is for all links to the
    optical port, as any of them may be told of the refusal.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, storage: MeterStorage
    ) -> None:
        """Start with what is stored, as soon as that is loaded."""
        self._hass = hass
        self._entry = entry
        self._storage = storage
        self.memory = OpticalMemory(self._async_refused)

    @callback
    def async_recall(self) -> None:
        """Refuse to show the key again if that is stored, unless it was entered since."""
        key, stored = key_of(self._entry.data), self._storage.facts.get("refused_key")
        if stored and refuses(stored, key):
            self.memory.recall(key, stored["reason"])

    @callback
    def _async_refused(self) -> None:
        """Record that the meter refused the key, and ask for another one."""
        key, stored = key_of(self._entry.data), self._storage.facts.get("refused_key")
        reason = self.memory.refusal(key)
        if reason and not (stored and refuses(stored, key)):
            self._storage.async_change({"refused_key": stored_refusal(key, reason)})
        self._entry.async_start_reauth(self._hass)

    @callback
    def async_succeeded(self) -> None:
        """Record that the meter was read."""
        self._storage.async_forget("refused_key")
