"""The issue of a meter that has other registers than before."""

from datetime import datetime
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_translations

from ..const import DOMAIN
from ..descriptions import describe_register, sensor_name
from ..link.storage import MeterStorage, StoredLayout
from ..osgp import HostClock
from . import LAYOUT_CHANGED, async_clear_issue, async_raise_issue

_NAMES_SHOWN: Final = 10


class LayoutIssue:
    """Raises the issue when a meter has other registers than the user knows of."""

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

    @property
    def layout_since(self) -> datetime | None:
        """When the configuration was last seen to have changed, in UTC."""
        since = self._storage.facts.get("layout_since")
        return None if since is None else datetime.fromisoformat(since)

    @callback
    def async_see(self, layout: StoredLayout) -> None:
        """Record when the meter has another configuration than the one stored."""
        facts = self._storage.facts
        if not _is_same_meter(facts.get("layout", layout), layout):
            since = self._clock.now().isoformat()
            self._storage.async_change({"layout_since": since})

    async def async_read(self, layout: StoredLayout) -> None:
        """Compare what the meter has with what is stored."""
        facts = self._storage.facts
        before = facts.get("layout", layout)
        confirmed = facts.get("confirmed", layout)
        if before == confirmed and _is_same_meter(before, layout):
            # If the registers differ, it is this integration that has changed.
            confirmed = layout
        came = _missing(confirmed, layout)
        went = _missing(layout, confirmed)
        if not (came or went):
            confirmed = layout
        self._storage.async_change({"layout": layout, "confirmed": confirmed})
        if not (came or went):
            async_clear_issue(self._hass, self._entry, LAYOUT_CHANGED)
            return
        async_raise_issue(
            self._hass,
            self._entry,
            LAYOUT_CHANGED,
            firmware_before=confirmed["firmware"],
            program_before=confirmed["program"],
            version_before=str(confirmed["version"]),
            firmware=layout["firmware"],
            program=layout["program"],
            version=str(layout["version"]),
            came=await self._async_names(came),
            went=await self._async_names(went),
        )

    @callback
    def async_confirm(self) -> None:
        """Record that the user knows of the newest change."""
        facts = self._storage.facts
        if "layout" in facts:
            self._storage.async_change({"confirmed": facts["layout"]})

    async def _async_names(self, keys: list[str]) -> str:
        """Return the names of the entities of registers, the first ones of many."""
        texts = await async_get_translations(
            self._hass, self._hass.config.language, "entity", {DOMAIN}
        )
        names = [
            sensor_name(description, texts)
            for description in map(describe_register, keys)
            if description is not None
        ]
        # Names have commas themselves.
        shown = "; ".join(names[:_NAMES_SHOWN])
        more = len(names) - _NAMES_SHOWN
        return f"{shown} … (+{more})" if more > 0 else shown or "–"


def _missing(layout: StoredLayout, other: StoredLayout) -> list[str]:
    """Return the registers of the other layout that a layout lacks, in their order."""
    present = set(layout["registers"])
    return [key for key in other["registers"] if key not in present]


def _is_same_meter(before: StoredLayout, now: StoredLayout) -> bool:
    """Return whether firmware and configuration are those from before."""
    return (before["firmware"], before["program"], before["version"]) == (
        now["firmware"],
        now["program"],
        now["version"],
    )
