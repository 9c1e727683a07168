"""What concerns the registers: which ones have counted, and whether they changed."""

from collections.abc import Callable, Mapping
from math import inf
from typing import override

from ..osgp import Meter, SystemInformation, Value
from ..selection import counters
from .reading import SlowReading

_COUNTERS_PERIOD = 3600.0


class SlowCounters(SlowReading):
    """The summations that decide which registers get an entity."""

    def __init__(self, on_read: Callable[[Mapping[str, Value | None]], None]) -> None:
        """Initialize; on_read is called with the values by key."""
        super().__init__("tariff use", _COUNTERS_PERIOD, _COUNTERS_PERIOD)
        self._on_read = on_read

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Pass on the values. Raises the error of a table that cannot be read."""
        readings = await meter.read(counters(meter.registers))
        for error in readings.errors.values():
            raise error
        self._on_read(readings.values)
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        pass


class SlowSystem(SlowReading):
    """System information, which shows whether the meter was changed.

    It is read once, and again when the registers have changed.
    """

    def __init__(self) -> None:
        """Start with nothing known."""
        super().__init__("system information", inf)
        self.information: SystemInformation | None = None

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Store the system information."""
        self.information = await meter.read_system_information()
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.information = None
