"""The actions of the integration."""

import asyncio
from typing import TYPE_CHECKING, Final

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, service
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .const import DOMAIN
from .coordinator import NesMepConfigEntry

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

SERVICE_RESYNC_CLOCK: Final = "resync_clock"

RESYNC_CLOCK_SCHEMA: Final = vol.Schema(
    {
        vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
        **cv.ENTITY_SERVICE_FIELDS,
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions of the integration."""
    hass.services.async_register(
        DOMAIN,
        SERVICE_RESYNC_CLOCK,
        _async_resync_clock,
        schema=RESYNC_CLOCK_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )


async def _async_resync_clock(call: ServiceCall) -> ServiceResponse:
    """Read the clock of each meter that is asked for and re-establish its session.

    Answers for one meter with meter_time (ISO 8601, UTC), drift (seconds, meter minus
    Home Assistant), attempts and sequence_number_changed; for several meters with
    "meters", which holds such an answer for each config entry id. Meters do not wait
    for each other; the first error is raised when all have been asked.
    """
    entries = await _async_targeted_entries(call)
    outcomes = await asyncio.gather(
        *(_async_resync(entry) for entry in entries), return_exceptions=True
    )
    answers: list[JsonObjectType] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        answers.append(outcome)
    if len(entries) == 1:
        return answers[0]
    return {
        "meters": {
            entry.entry_id: answer
            for entry, answer in zip(entries, answers, strict=True)
        }
    }


async def _async_resync(entry: NesMepConfigEntry) -> JsonObjectType:
    """Re-establish the session with one meter and tell what its clock says."""
    coordinator = entry.runtime_data
    result = await coordinator.async_resync()
    drift = result.meter_time - dt_util.utcnow()
    await coordinator.async_refresh()
    return {
        "meter_time": result.meter_time.isoformat(),
        "drift": round(drift.total_seconds(), 1),
        "attempts": result.attempts,
        "sequence_number_changed": result.sequence_number_changed,
    }


async def _async_targeted_entries(call: ServiceCall) -> list[NesMepConfigEntry]:
    """Return the loaded config entries of the meters that an action is for.

    They are given by config_entry_id, by device, or by whatever else can be a target
    (entity, area, floor, label). Raises ServiceValidationError if there is no meter
    among them, or if one of them is not loaded.
    """
    entry_ids = await service.async_extract_config_entry_ids(call)
    meters = {
        entry.entry_id
        for entry in call.hass.config_entries.async_entries(DOMAIN)
        if entry.entry_id in entry_ids
    }
    if (entry_id := call.data.get(ATTR_CONFIG_ENTRY_ID)) is not None:
        meters.add(entry_id)
    if not meters:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_meter_targeted"
        )
    return [
        service.async_get_config_entry(call.hass, DOMAIN, entry_id)
        for entry_id in sorted(meters)
    ]
