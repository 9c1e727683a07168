"""The slow tables of the meter client."""

from collections.abc import Mapping
from math import inf
from typing import Final, override

from ..osgp import Meter, SlowTable, Value
from .reading import SlowValues

CLOCK: Final = "clock"
"""The name of the table of the meter's clock."""

_IDLE_PERIODS = {CLOCK: 3600.0}
"""Seconds between two reads of tables that are read even if nothing uses them."""


class SlowTableValues(SlowValues):
    """A slow table of the meter client."""

    def __init__(self, table: SlowTable) -> None:
        """Initialize with a slow table and the period that the client advises."""
        super().__init__(table.name, table.period, _IDLE_PERIODS.get(table.name, inf))

    @override
    async def _read_values(self, meter: Meter) -> Mapping[str, Value | None] | None:
        return await meter.read_slow_table(self.name)
