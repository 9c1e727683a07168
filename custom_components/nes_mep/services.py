"""The actions of the integration."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv, service
from homeassistant.util import dt as dt_util
from homeassistant.util.json import JsonObjectType

from .const import DOMAIN
from .coordinator import NesMepConfigEntry
from .costs import COST_FIELDS, ContradictingPricesError, CostRequest
from .history import HistoryError
from .osgp import MeterError, parse_table, table_name
from .slow_readings import event_as_json, is_valid, reading_as_json

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

SERVICE_GET_BILLING_READINGS: Final = "get_billing_readings"
SERVICE_IMPORT_COSTS: Final = "import_costs"
SERVICE_IMPORT_HISTORY: Final = "import_history"
SERVICE_READ_EVENTS: Final = "read_events"
SERVICE_READ_TABLE: Final = "read_table"
SERVICE_RESYNC_CLOCK: Final = "resync_clock"

ATTR_COUNT: Final = "count"
ATTR_END: Final = "end"
ATTR_OFFSET: Final = "offset"
ATTR_START: Final = "start"
ATTR_TABLE: Final = "table"

_MOST_BYTES = 0xFFFF
_LAST_OFFSET = 0xFF_FFFF
"""The largest numbers that fit into a request."""

_TARGET: Final = {
    vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
    **cv.ENTITY_SERVICE_FIELDS,
}

_TARGET_NAMES: Final = frozenset(str(name) for name in _TARGET)
_YEARS: Final = range(1970, 2101)


def _time(value: object) -> datetime:
    """Validate a time; far from the present it could not be converted to UTC."""
    time = cv.datetime(value)
    if time.year not in _YEARS:
        raise vol.Invalid(f"The year must be from {_YEARS[0]} to {_YEARS[-1]}")
    return time


IMPORT_COSTS_SCHEMA: Final = vol.Schema({**_TARGET, **COST_FIELDS})
IMPORT_HISTORY_SCHEMA: Final = vol.Schema(
    {
        **_TARGET,
        vol.Optional(ATTR_START): _time,
        vol.Optional(ATTR_END): _time,
    }
)
RESYNC_CLOCK_SCHEMA: Final = vol.Schema(_TARGET)
NEWEST_SCHEMA: Final = vol.Schema(
    {**_TARGET, vol.Optional(ATTR_COUNT): vol.All(vol.Coerce(int), vol.Range(min=1))}
)
READ_TABLE_SCHEMA: Final = vol.Schema(
    {
        **_TARGET,
        vol.Required(ATTR_TABLE): vol.Any(cv.positive_int, cv.string),
        vol.Optional(ATTR_OFFSET, default=0): vol.All(
            vol.Coerce(int), vol.Range(min=0, max=_LAST_OFFSET)
        ),
        vol.Optional(ATTR_COUNT): vol.All(
            vol.Coerce(int), vol.Range(min=1, max=_MOST_BYTES)
        ),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions of the integration."""
    service.async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_IMPORT_COSTS,
        _async_import_costs,
        schema=IMPORT_COSTS_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    service.async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_IMPORT_HISTORY,
        _async_import_history,
        schema=IMPORT_HISTORY_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    hass.services.async_register(
        DOMAIN,
        SERVICE_RESYNC_CLOCK,
        _async_resync_clock,
        schema=RESYNC_CLOCK_SCHEMA,
        supports_response=SupportsResponse.OPTIONAL,
    )
    hass.services.async_register(
        DOMAIN,
        SERVICE_GET_BILLING_READINGS,
        _async_get_billing_readings,
        schema=NEWEST_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    hass.services.async_register(
        DOMAIN,
        SERVICE_READ_EVENTS,
        _async_read_events,
        schema=NEWEST_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )
    service.async_register_admin_service(
        hass,
        DOMAIN,
        SERVICE_READ_TABLE,
        _async_read_table,
        schema=READ_TABLE_SCHEMA,
        supports_response=SupportsResponse.ONLY,
    )


async def _async_resync_clock(call: ServiceCall) -> ServiceResponse:
    """Read the clock of each targeted meter and re-establish its session.

    The response has meter_time (ISO 8601, UTC), drift (seconds, meter minus Home
    Assistant), attempts and sequence_number_changed. Where the key does not reach the
    clock, the first two are None.
    """
    return await _async_ask(call, async_resync)


async def async_resync(entry: NesMepConfigEntry) -> JsonObjectType:
    """Read the clock of one meter and re-establish its session.

    Return what _async_resync_clock answers. Raises MeterError.
    """
    coordinator = entry.runtime_data.coordinator
    monitor = coordinator.monitor
    result = await coordinator.meter.resync()
    meter_time = drift = None
    if result.meter_time is not None:
        meter_time = result.meter_time.isoformat()
        drift = (result.meter_time - monitor.clock.now()).total_seconds()
        monitor.clock_issue.async_read(drift)
    await coordinator.async_refresh()
    return {
        "meter_time": meter_time,
        "drift": None if drift is None else round(drift, 1),
        "attempts": result.attempts,
        "sequence_number_changed": result.sequence_number_changed,
    }


async def _async_import_history(call: ServiceCall) -> ServiceResponse:
    """Import the history of each targeted meter from its load profile.

    The response has hours_written, what was written and skipped for each entity,
    intervals_read and unusable_intervals. Times without a zone are those of Home
    Assistant.
    """
    start, end = (
        dt_util.as_utc(time) if (time := call.data.get(name)) else None
        for name in (ATTR_START, ATTR_END)
    )
    _check_span(start, end)

    return await _async_ask(call, partial(async_import_history, start=start, end=end))


async def async_import_history(
    entry: NesMepConfigEntry,
    start: datetime | None = None,
    end: datetime | None = None,
) -> JsonObjectType:
    """Import the history of one meter; times in UTC, None for all there is.

    Return what _async_import_history answers. Raises MeterError and HistoryError.
    """
    return (await entry.runtime_data.history.async_import(start, end)).as_json


async def _async_import_costs(call: ServiceCall) -> ServiceResponse:
    """Import the costs of hours that were imported, for each targeted meter.

    The response has hours_written, and for each energy entity in the Energy dashboard
    what was written and skipped, what that cost before and after, and the prices used.
    """
    try:
        request = CostRequest.of_action(call.data)
    except ContradictingPricesError as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="contradicting_prices",
            translation_placeholders={"time": err.time.isoformat()},
        ) from err
    _check_span(request.start, request.end)

    async def import_costs(entry: NesMepConfigEntry) -> JsonObjectType:
        return (await entry.runtime_data.costs.async_import(request)).as_json

    return await _async_ask(call, import_costs)


def _check_span(start: datetime | None, end: datetime | None) -> None:
    """Raise ServiceValidationError for a span without any hour."""
    if start is not None and end is not None and start >= end:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="empty_span"
        )


async def _async_get_billing_readings(call: ServiceCall) -> ServiceResponse:
    """Read what each targeted meter has stored for the bill.

    The response has readings, newest last: all that the meter keeps, or the newest ones
    if a count is given. Those from before the layout of the registers changed are left
    out.
    """

    async def read(entry: NesMepConfigEntry) -> JsonObjectType:
        coordinator = entry.runtime_data.coordinator
        since = coordinator.monitor.layout_issue.layout_since
        readings = await coordinator.meter.billing.read_all(call.data.get(ATTR_COUNT))
        return {
            "readings": [
                reading_as_json(reading)
                for reading in readings
                if is_valid(reading, since)
            ]
        }

    return await _async_ask(call, read)


async def _async_read_events(call: ServiceCall) -> ServiceResponse:
    """Read the event logs of each targeted meter.

    The response has events, newest last: all that the meter keeps, or the newest ones
    if a count is given.
    """

    async def read_events(entry: NesMepConfigEntry) -> JsonObjectType:
        meter = entry.runtime_data.coordinator.meter
        events = await meter.read_events(count=call.data.get(ATTR_COUNT))
        return {"events": [event_as_json(event) for event in events]}

    return await _async_ask(call, read_events)


async def _async_read_table(call: ServiceCall) -> ServiceResponse:
    """Read bytes of a table of each targeted meter.

    The response has table, offset, length, data (hex), and decoded, which is what the
    bytes mean, or null if that is unknown.
    """
    text, offset = str(call.data[ATTR_TABLE]), call.data[ATTR_OFFSET]
    try:
        table = parse_table(text)
    except ValueError as err:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="no_table",
            translation_placeholders={"table": text},
        ) from err

    async def read_table(entry: NesMepConfigEntry) -> JsonObjectType:
        meter = entry.runtime_data.coordinator.meter
        data = await meter.read_table(table, offset, call.data.get(ATTR_COUNT))
        return {
            "table": table_name(table),
            "offset": offset,
            "length": len(data),
            "data": data.hex(),
            "decoded": meter.table_contents(table, offset, data),
        }

    return await _async_ask(call, read_table)


async def _async_ask(
    call: ServiceCall, ask: Callable[[NesMepConfigEntry], Awaitable[JsonObjectType]]
) -> ServiceResponse:
    """Ask the targeted meters and return their answers.

    For one meter that is its answer; for several, "meters" has the answers by config
    entry id. The meters are asked concurrently; the first error is raised when all are
    done.
    """
    entries = await _async_targeted_entries(call)
    outcomes = await asyncio.gather(
        *(async_ask_meter(entry, ask) for entry in entries), return_exceptions=True
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


async def async_ask_meter(
    entry: NesMepConfigEntry,
    ask: Callable[[NesMepConfigEntry], Awaitable[JsonObjectType]],
) -> JsonObjectType:
    """Ask one meter; raise HomeAssistantError, translated, if that fails."""
    # The entry has no data any more when it is unloaded meanwhile.
    monitor = entry.runtime_data.coordinator.monitor
    try:
        return await ask(entry)
    except MeterError as err:
        raise HomeAssistantError(**monitor.error_text(err)) from err
    except HistoryError as err:
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key=err.translation_key,
            translation_placeholders={"meter": entry.title},
        ) from err


async def _async_targeted_entries(call: ServiceCall) -> list[NesMepConfigEntry]:
    """Return the loaded config entries of the targeted meters.

    A target is a config_entry_id, device, entity, area, floor or label; without one,
    it is the only meter there is. Raises ServiceValidationError if no meter is
    targeted, and HomeAssistantError if one of them is not loaded.
    """
    entry_ids = await service.async_extract_config_entry_ids(call)
    all_meters = [
        entry.entry_id
        for entry in call.hass.config_entries.async_entries(
            DOMAIN, include_ignore=False, include_disabled=False
        )
    ]
    meters = entry_ids.intersection(all_meters)
    if (entry_id := call.data.get(ATTR_CONFIG_ENTRY_ID)) is not None:
        meters.add(entry_id)
    if len(all_meters) == 1 and not _TARGET_NAMES & call.data.keys():
        meters.update(all_meters)
    if not meters:
        raise ServiceValidationError(
            translation_domain=DOMAIN, translation_key="no_meter_targeted"
        )
    return [_async_loaded_entry(call.hass, entry_id) for entry_id in sorted(meters)]


@callback
def _async_loaded_entry(hass: HomeAssistant, entry_id: str) -> NesMepConfigEntry:
    """Return a loaded config entry of a meter.

    Raises HomeAssistantError with what keeps the meter from being set up, and
    ServiceValidationError for every other entry.
    """
    entry = hass.config_entries.async_get_entry(entry_id)
    if (
        entry is not None
        and entry.domain == DOMAIN
        and entry.state is ConfigEntryState.SETUP_RETRY
        and entry.reason is not None
    ):
        # Home Assistant 2026.5 keeps the text, but not what it was translated from.
        key = entry.error_reason_translation_key
        raise HomeAssistantError(
            entry.reason,
            translation_domain=DOMAIN if key else None,
            translation_key=key,
            translation_placeholders=entry.error_reason_translation_placeholders,
        )
    loaded: NesMepConfigEntry = service.async_get_config_entry(hass, DOMAIN, entry_id)
    return loaded
