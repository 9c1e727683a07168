"""What a maintainer needs to know about a meter, without what is nobody's business."""

from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import REDACTED, async_redact_data
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant

from .const import CONF_KEY
from .coordinator import NesMepConfigEntry
from .mep import MBusDevice

TO_REDACT = {CONF_KEY, CONF_PORT, "serial_number", "title", "unique_id"}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: NesMepConfigEntry
) -> dict[str, Any]:
    """Return what the meter is and reports, the link, and the meters behind it.

    M-Bus records that are not understood are there as hex digits.
    """
    coordinator = entry.runtime_data
    meter, data = coordinator.meter, coordinator.data
    facts = {
        "entry": entry.as_dict(),
        "identity": asdict(meter.identity),
        "register_map": asdict(meter.register_map),
        "registers": {
            key: {"table": register.table, "offset": register.offset}
            for key, register in meter.registers.items()
        },
        "values": dict(data.values),
        "failed_tables": sorted(data.failed_tables),
        "link": asdict(meter.statistics),
        "mbus_devices": [
            _device_facts(device) for device in data.mbus_devices.values()
        ],
    }
    return async_redact_data(facts, TO_REDACT)


def _device_facts(device: MBusDevice) -> dict[str, Any]:
    """Return what is known of an M-Bus meter, without texts, which tell its number."""
    facts = asdict(device)
    for record in facts["records"]:
        if isinstance(record["value"], str):
            record["value"] = REDACTED
    return facts | {
        "unknown_records": [record.hex() for record in device.unknown_records]
    }
