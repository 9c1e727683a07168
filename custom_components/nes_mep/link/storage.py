"""What is remembered of a meter over restarts."""

from typing import Final, TypedDict

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN

_SAVE_DELAY: Final = 1.0


class StoredLayout(TypedDict):
    """What a meter has, and what says that this may have changed."""

    firmware: str
    program: str
    version: int
    registers: list[str]


class Memory(TypedDict, total=False):
    """What is written down; times are in ISO 8601.

    silent_since is when the meter did not answer for the first time after it had.
    layout is the newest that is known, and confirmed the one that the user knows of.
    """

    silent_since: str
    requires_tls: bool
    layout: StoredLayout
    confirmed: StoredLayout


class MeterStorage:
    """Keeps a memory in Home Assistant's storage; it is written when it changed."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Begin with an empty one."""
        self._store: Store[Memory] = Store(hass, 1, f"{DOMAIN}.{entry_id}.memory")
        self._is_loaded = False
        self._memory: Memory = {}

    async def async_load(self) -> None:
        """Recall what was written down, once."""
        if not self._is_loaded:
            self._memory = await self._store.async_load() or self._memory
            self._is_loaded = True

    @property
    def facts(self) -> Memory:
        """What is remembered, not to be changed."""
        return self._memory

    @callback
    def async_change(self, facts: Memory) -> None:
        """Remember this in place of what was, if it is another."""
        if facts != self._memory:
            self._memory = facts
            self._store.async_delay_save(lambda: self._memory, _SAVE_DELAY)

    async def async_remove(self) -> None:
        """Forget everything."""
        await self._store.async_remove()
