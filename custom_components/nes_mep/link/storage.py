"""What is stored about a meter over restarts."""

from typing import NotRequired, TypedDict, cast

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.storage import Store

from ..const import DOMAIN
from .refused_key import StoredRefusal


class StoredLayout(TypedDict):
    """The registers of a meter, and the versions that change along with them.

    By its transceiver id, a meter is known that stops showing its serial number.
    """

    firmware: str
    program: str
    version: int
    registers: list[str]
    transceiver: NotRequired[str]


class StoredEventMark(TypedDict):
    """An entry of the event logs: its number, and its time if the meter had one."""

    sequence_number: int
    time: str | None


class StoredFacts(TypedDict, total=False):
    """What is stored; times are in ISO 8601.

    silent_since is when the present silence of the meter began. layout is the newest
    that is known, since layout_since if it was another one before, and confirmed the one
    that the user knows of. refused_key is the key that the meter refused at its optical
    port. mbus_meters are the ids of M-Bus meters in the order of their numbers, by how
    they are called. counted are the keys of the summations that were not zero once.
    event_mark is the newest entry of the event logs that was told.
    """

    silent_since: str
    requires_tls: bool
    layout: StoredLayout
    layout_since: str
    confirmed: StoredLayout
    refused_key: StoredRefusal
    mbus_meters: dict[str, list[str]]
    counted: list[str]
    event_mark: StoredEventMark


class MeterStorage:
    """Keeps facts in Home Assistant's storage; a change is written at once."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Start with nothing stored."""
        self._store: Store[StoredFacts] = Store(hass, 1, f"{DOMAIN}.{entry_id}.memory")
        self._is_loaded = False
        self._facts: StoredFacts = {}

    async def async_load(self) -> None:
        """Load what is stored, once."""
        if not self._is_loaded:
            self._facts = await self._store.async_load() or self._facts
            self._is_loaded = True

    @property
    def facts(self) -> StoredFacts:
        """What is stored, not to be changed in place."""
        return self._facts

    @callback
    def async_change(self, facts: StoredFacts) -> None:
        """Store these facts beside the others, which stay."""
        self._async_replace({**self._facts, **facts})

    @callback
    def async_forget(self, name: str) -> None:
        """Store a fact no longer, if it was stored."""
        kept = {key: fact for key, fact in self._facts.items() if key != name}
        self._async_replace(cast("StoredFacts", kept))

    @callback
    def _async_replace(self, facts: StoredFacts) -> None:
        if facts != self._facts:
            self._facts = facts
            self._store.async_delay_save(lambda: self._facts)

    async def async_remove(self) -> None:
        """Delete what is stored."""
        await self._store.async_remove()
