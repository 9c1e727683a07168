"""Watching what the meter says of itself: its clock, and what it has."""

from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .descriptions import CLOCK_DRIFT, describe_register
from .issues import CLOCK_WRONG, LAYOUT_CHANGED, async_clear_issue, async_raise_issue
from .memory import LayoutMemory, MeterMemory

_WRONG: Final = 60.0
_RIGHT: Final = 45.0
"""Seconds of drift. What lies between changes nothing, so that a drift at the limit
does not come and go."""
_CERTAIN_AFTER: Final = 600.0
"""Seconds that a clock must have been wrong: after a start, Home Assistant's own may be
set only by and by."""

_NAMES_SHOWN: Final = 10


class ClockWatch:
    """Tells when the meter's clock is off by more than a minute."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Begin with a clock of which nothing is known."""
        self._hass = hass
        self._entry = entry
        self._wrong_since: float | None = None

    @property
    def contexts(self) -> frozenset[str]:
        """What is to be read although no entity shows it: a clock in doubt."""
        return (
            frozenset() if self._wrong_since is None else frozenset({CLOCK_DRIFT.key})
        )

    @callback
    def async_read(self, drift: float, now: float) -> None:
        """Take how far the meter's clock is ahead, at a time in monotonic seconds."""
        if abs(drift) <= _RIGHT:
            if self._wrong_since is not None:
                self._wrong_since = None
                async_clear_issue(self._hass, self._entry, CLOCK_WRONG)
        elif abs(drift) <= _WRONG:
            pass
        elif self._wrong_since is None:
            self._wrong_since = now
        elif now - self._wrong_since >= _CERTAIN_AFTER:
            time = dt_util.utcnow()
            async_raise_issue(
                self._hass,
                self._entry,
                CLOCK_WRONG,
                time=f"{time:%Y-%m-%d %H:%M:%S}",
                meter_time=f"{time + timedelta(seconds=drift):%Y-%m-%d %H:%M:%S}",
            )


class LayoutWatch:
    """Tells when the meter was changed so that it has other registers than before."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, memory: MeterMemory
    ) -> None:
        """Begin with what is remembered."""
        self._hass = hass
        self._entry = entry
        self._memory = memory

    async def async_read(self, layout: LayoutMemory) -> None:
        """Take what the meter has."""
        facts = self._memory.facts
        before = facts.get("layout", layout)
        confirmed = facts.get("confirmed", layout)
        if before == confirmed and _is_same_meter(before, layout):
            # If it has other registers, this integration learned of them.
            confirmed = layout
        came = _missing(confirmed, layout)
        went = _missing(layout, confirmed)
        if not (came or went):
            confirmed = layout
        self._memory.async_change({**facts, "layout": layout, "confirmed": confirmed})
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
        """Take that the user knows of the newest change."""
        facts = self._memory.facts
        if "layout" in facts:
            self._memory.async_change({**facts, "confirmed": facts["layout"]})

    async def _async_names(self, keys: list[str]) -> str:
        """Return what the entities of registers are called, the first ones of many."""
        texts = await async_get_translations(
            self._hass, self._hass.config.language, "entity", {DOMAIN}
        )
        names: list[str] = []
        for key in keys:
            if (description := describe_register(key)) is not None:
                path = f"component.{DOMAIN}.entity.sensor.{description.translation_key}"
                text = texts.get(f"{path}.name", key)
                placeholders = description.translation_placeholders or {}
                names.append(text.format(**placeholders))
        shown = ", ".join(names[:_NAMES_SHOWN])
        more = len(names) - _NAMES_SHOWN
        return f"{shown} … (+{more})" if more > 0 else shown or "–"


def _missing(layout: LayoutMemory, other: LayoutMemory) -> list[str]:
    """Return the registers of the other layout that a layout lacks, in their order."""
    present = set(layout["registers"])
    return [key for key in other["registers"] if key not in present]


def _is_same_meter(before: LayoutMemory, now: LayoutMemory) -> bool:
    """Return whether firmware and configuration are those from before."""
    return (before["firmware"], before["program"], before["version"]) == (
        now["firmware"],
        now["program"],
        now["version"],
    )
