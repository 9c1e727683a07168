"""Readings that the meter has stored for the bill: for sensors and as JSON."""

from collections.abc import Mapping, Set as AbstractSet
from datetime import datetime
from typing import Final

from homeassistant.util.json import JsonObjectType

from .descriptions import LAST_BILLING_DATE
from .local_time import in_zone
from .osgp import BillingReading, Meter, Value

_SHOWN: Final = ("energy_import", "energy_export")
"""Energies that sensors show, in total and per tariff."""


def shows_any(key: str, registers: AbstractSet[str]) -> bool:
    """Return whether a key is of no stored register, or of one of these registers."""
    return not key.startswith("billing_") or key.removeprefix("billing_") in registers


def is_valid(reading: BillingReading, layout_since: datetime | None) -> bool:
    """Return whether a reading was stored in the present layout of the registers.

    One that is older would be taken for energies that it does not have.
    """
    return layout_since is None or in_zone(reading.time) >= layout_since


async def async_read_sensors(
    meter: Meter, layout_since: datetime | None
) -> Mapping[str, Value | None] | None:
    """Return the newest reading by the keys of its sensors, None if there is no source.

    Values are None before the first billing date. Raises MeterError.
    """
    if not await meter.billing.has_source():
        return None
    reading = await meter.billing.read_newest()
    values: dict[str, Value | None] = {
        LAST_BILLING_DATE.key: None,
        **{f"billing_{key}": None for key in meter.registers if key.startswith(_SHOWN)},
    }
    if reading is not None and is_valid(reading, layout_since):
        values[LAST_BILLING_DATE.key] = reading.time
        for key, energy in reading.energies.items():
            if key.startswith(_SHOWN):
                values[f"billing_{key}"] = energy
    return values


def reading_as_json(reading: BillingReading) -> JsonObjectType:
    """Return a reading as plain values; energies in kWh, kvarh and kVAh by key."""
    return {
        "time": in_zone(reading.time).isoformat(),
        "season": reading.season + 1,
        "source": reading.source,
        "energies": dict(reading.energies),
    }
