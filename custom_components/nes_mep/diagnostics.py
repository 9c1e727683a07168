"""Diagnostics: what a maintainer needs to know about a meter, without private data."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
import logging
import platform
from typing import Any, Final
from urllib.parse import urlsplit

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_PORT, __version__
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

from .const import CONF_KEY, DOMAIN
from .coordinator import MeterCoordinator, NesMepConfigEntry
from .link.access import LinkSecurity, meter_port_of
from .monitor import async_get_monitor
from .osgp import (
    ExchangeRecord,
    MBusDevice,
    MeterError,
    MeterPort,
    RedactedExchange,
    Redactor,
    ResponseCode,
    Trace,
    serial_number_spans,
    survey,
    table_name,
)

_LOGGER = logging.getLogger(__name__)

FORMAT: Final = 1
"""Version of the file's format, for programs that read it."""

TO_REDACT: Final = {CONF_KEY, CONF_PORT, "serial_number", "title", "unique_id"}

_SURVEY_TIME = 30.0
_SHORTEST_SECRET = 5
"""Shortest text, in characters, that is searched for in others; shorter ones match by
chance."""
_LIBRARIES = ("cryptography", "serialx")


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: NesMepConfigEntry
) -> dict[str, Any]:
    """Return facts about the meter, its readings, its link and the last exchanges.

    A meter that is being read is asked for whole tables, so that a simulated meter can
    answer with them. For one that is not, the result shows the failed attempts.
    """
    trace = async_get_monitor(hass, entry).trace
    # Before the survey adds more.
    exchanges = tuple(trace.exchanges)
    facts = {
        "format": FORMAT,
        "entry": entry.as_dict(),
        "state": entry.state.value,
        "reason": entry.reason,
        "versions": await _async_versions(hass),
        "security": LinkSecurity.of_entry(entry.data).entry_data
        if meter_port_of(entry.data) is MeterPort.MEP
        else None,
    }
    if entry.state is ConfigEntryState.LOADED:
        coordinator = entry.runtime_data.coordinator
        await _async_survey(coordinator)
        facts |= _meter_facts(coordinator)
    redacted: dict[str, Any] = _scrubbed(
        async_redact_data(facts, TO_REDACT), _secrets(entry)
    )
    return redacted | _trace_facts(trace, exchanges, str(entry.unique_id))


async def _async_versions(hass: HomeAssistant) -> dict[str, str]:
    """Return the versions of the integration, Home Assistant, Python and libraries."""
    integration = await async_get_integration(hass, DOMAIN)

    def libraries() -> dict[str, str]:
        return {name: version(name) for name in _LIBRARIES}

    return {
        "integration": str(integration.version),
        "home_assistant": __version__,
        "python": platform.python_version(),
        **await hass.async_add_executor_job(libraries),
    }


async def _async_survey(coordinator: MeterCoordinator) -> None:
    """Read whole tables into the trace, if the meter answers."""
    if not coordinator.last_update_success:
        return
    try:
        async with asyncio.timeout(_SURVEY_TIME):
            await survey(coordinator.meter)
    except (MeterError, TimeoutError) as err:
        _LOGGER.debug("%s: diagnostics lack tables: %s", coordinator.name, err)


def _meter_facts(coordinator: MeterCoordinator) -> dict[str, Any]:
    """Return the meter's identity, registers and values, and how polling goes.

    Unknown M-Bus records are given as hex digits.
    """
    meter, data = coordinator.meter, coordinator.data
    return {
        "identity": asdict(meter.identity),
        "register_map": asdict(meter.register_map),
        "unknown": {name: str(err) for name, err in meter.unknown.items()},
        "registers": {
            key: {"table": register.table, "offset": register.offset}
            for key, register in meter.registers.items()
        },
        "values": dict(data.values),
        "peaks": {direction: asdict(each) for direction, each in data.peaks.items()},
        "polling": {
            "succeeded": coordinator.last_update_success,
            "error": coordinator.last_exception and str(coordinator.last_exception),
            "failed_tables": sorted(data.failed_tables),
            "failed_slowly": sorted(coordinator.slow.failed),
        },
        "link": asdict(meter.statistics),
        "mbus_devices": [
            _device_facts(device) for device in data.mbus_devices.values()
        ],
    }


def _device_facts(device: MBusDevice) -> dict[str, Any]:
    """Return facts about an M-Bus meter, without texts, which may hold its number."""
    facts = asdict(device)
    for record in facts["records"]:
        if isinstance(record["value"], str):
            record["value"] = REDACTED
    unknown: list[str] = []
    for record in device.unknown_records:
        shown = bytearray(record)
        for span in serial_number_spans(record, device.serial_number):
            shown[span.offset : span.end] = bytes(span.length)
        unknown.append(shown.hex())
    return facts | {"unknown_records": unknown}


def _trace_facts(
    trace: Trace, exchanges: Iterable[ExchangeRecord], unique_id: str
) -> dict[str, Any]:
    """Return the tables as last read, and exchanges, as hex digits."""
    redactor = Redactor(trace, names=[unique_id])
    read_at = {
        table_name(table): _time(max(part.at for part in parts))
        for table, parts in trace.tables.items()
    }
    return {
        "tables": {
            name: {
                "read_at": read_at[name],
                "parts": {str(offset): data.hex() for offset, data in image.parts()},
            }
            for name, image in redactor.tables().items()
        },
        "refused_tables": {
            table_name(table): code for table, code in sorted(trace.refusals.items())
        },
        "exchanges": [_exchange_facts(each) for each in redactor.exchanges(exchanges)],
    }


def _exchange_facts(exchange: RedactedExchange) -> dict[str, Any]:
    """Return the facts of one exchange."""
    record = exchange.record
    facts: dict[str, Any] = {
        "time": _time(record.at),
        "seconds": round(record.seconds, 3),
        "sent": record.sent,
        "request": record.request.hex(),
    }
    if exchange.reply is not None:
        facts["reply"] = exchange.reply.hex()
        if (code := exchange.reply[0]) and code in ResponseCode:
            facts["meaning"] = ResponseCode(code).name.lower()
    if exchange.withheld:
        facts["withheld"] = exchange.withheld
    if record.error:
        facts["error"] = record.error
    return facts


def _time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


def _secrets(entry: NesMepConfigEntry) -> list[str]:
    """Return identifying texts that error messages may quote, longest first."""
    port = str(entry.data[CONF_PORT])
    address = urlsplit(port)
    found = {port, str(entry.unique_id), entry.title}
    if "://" in port:
        host = address.netloc.rpartition("@")[2]
        found |= {address.netloc, host, address.hostname or ""}
    return sorted(
        (text for text in found if len(text) >= _SHORTEST_SECRET),
        key=len,
        reverse=True,
    )


def _scrubbed(facts: Any, secrets: list[str]) -> Any:
    """Return facts without secrets in their texts."""
    if isinstance(facts, str):
        for secret in secrets:
            facts = facts.replace(secret, REDACTED)
        return facts
    if isinstance(facts, Mapping):
        return {key: _scrubbed(value, secrets) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_scrubbed(value, secrets) for value in facts]
    return facts
