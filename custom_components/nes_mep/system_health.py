"""System health: what the system information of Home Assistant tells of the meters.

People copy it into public places. So a meter is its place in the list, and errors and
numbers, which could say whose it is, are left out.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from homeassistant.components.system_health import SystemHealthRegistration
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import NesMepConfigEntry
from .history import reach_of
from .link.access import LinkSecurity, meter_port_of
from .monitor import async_get_monitor
from .osgp import MeterError, MeterPort, SecurityMode, best_data_set, is_out_of_reach

_MODES: Final = {
    SecurityMode.DIGEST: "digest",
    SecurityMode.RC4: "RC4",
    SecurityMode.TLS: "TLS",
}
_ENERGIES: Final = ("energy_import", "energy_export")

_FAILED: Final = {"type": "failed", "error": "unreachable"}
"""What Home Assistant's page shows as a failure."""

type Fact = str | datetime | dict[str, str] | None
"""What is known of one meter; None if there is nothing to know."""


@callback
def async_register(hass: HomeAssistant, register: SystemHealthRegistration) -> None:
    """Register what tells the facts."""
    register.async_register_info(system_health_info)


async def system_health_info(hass: HomeAssistant) -> dict[str, Any]:
    """Return how many meters there are, and what is known of each of them.

    The meters are asked how far their load profile reaches: that is shown when they
    have answered.
    """
    entries: list[NesMepConfigEntry] = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    if not entries:
        return {"meters": 0}
    memories = [async_get_monitor(hass, entry).history for entry in entries]
    for memory in memories:
        await memory.async_load()
    return {
        "meters": len(entries),
        "security": _together([_security(entry) for entry in entries]),
        "last_reading": _together([memory.last_reading for memory in memories]),
        "load_profile_since": _async_reaches(hass, entries),
        "last_import": _together([memory.last_import for memory in memories]),
    }


def _security(entry: NesMepConfigEntry) -> str:
    """Return how the link to a meter is protected."""
    if meter_port_of(entry.data) is MeterPort.OPTICAL:
        return "optical port"
    return _MODES[LinkSecurity.of_entry(entry.data).mode]


async def _async_reaches(
    hass: HomeAssistant, entries: Sequence[NesMepConfigEntry]
) -> Fact:
    """Return since when the load profile of each meter has intervals."""
    return _together(
        await asyncio.gather(*(_async_reach(hass, entry) for entry in entries))
    )


async def _async_reach(hass: HomeAssistant, entry: NesMepConfigEntry) -> Fact:
    """Return since when the load profile of a meter has intervals, None without one."""
    if entry.state is not ConfigEntryState.LOADED:
        return _FAILED
    coordinator = entry.runtime_data.coordinator
    if not coordinator.last_update_success:
        return _FAILED
    try:
        sets = await coordinator.meter.read_load_profile_sets()
    except MeterError as err:
        return None if is_out_of_reach(err) else _FAILED
    if (best := best_data_set(sets, _ENERGIES)) is None:
        return None
    return reach_of(best, async_get_monitor(hass, entry).clock.now())


def _together(facts: Sequence[Fact]) -> Fact:
    """Return the fact of the only meter, or those of several as one text.

    There is one label for a fact, whatever the number of meters.
    """
    if len(facts) == 1:
        return facts[0] or "–"
    return "; ".join(
        f"{number}: {_text(fact)}" for number, fact in enumerate(facts, start=1)
    )


def _text(fact: Fact) -> str:
    """Return a fact as text; times in UTC."""
    if isinstance(fact, datetime):
        return f"{fact:%Y-%m-%d %H:%M} UTC"
    if isinstance(fact, dict):
        return fact["error"]
    return fact or "–"
