"""Readings that the meter has stored for the bill: for sensors and as JSON."""

from collections.abc import Callable, Mapping
from datetime import datetime
from math import inf
from typing import Final, override

from homeassistant.util.json import JsonObjectType

from ..descriptions import LAST_BILLING_DATE
from ..local_time import in_zone
from ..osgp import BillingReading, Meter, Value
from .reading import SlowValues

_PERIOD = 3600.0

_SHOWN: Final = ("energy_import", "energy_export")
"""Energies that sensors show, in total and per tariff."""


def is_valid(reading: BillingReading, layout_since: datetime | None) -> bool:
    """Return whether a reading was stored in the present layout of the registers.

    One that is older would be taken for energies that it does not have.
    """
    return layout_since is None or in_zone(reading.time) >= layout_since


async def _async_read_sensors(
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


class SlowBilling(SlowValues):
    """The newest reading for the bill, of which a few bytes tell whether it is new."""

    def __init__(self, layout_since: Callable[[], datetime | None]) -> None:
        """Initialize; layout_since says when the layout of the registers changed."""
        super().__init__("readings for the bill", _PERIOD)
        # They are of the past, and stay true.
        self._kept_for = inf
        self._layout_since = layout_since

    @override
    async def _read_values(self, meter: Meter) -> Mapping[str, Value | None] | None:
        return await _async_read_sensors(meter, self._layout_since())
