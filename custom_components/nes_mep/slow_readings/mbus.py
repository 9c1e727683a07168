"""The M-Bus meters behind the meter."""

from collections.abc import Mapping, Set as AbstractSet
from typing import Final, override

from ..osgp import MBusDevice, Meter
from .reading import SlowReading

MBUS: Final = "mbus"
"""Context of the entities of M-Bus meters."""

_PERIOD = 900.0


class SlowMBus(SlowReading):
    """The M-Bus meters behind the meter, by the ids of their devices."""

    def __init__(self) -> None:
        """Start with no M-Bus meters."""
        super().__init__("M-Bus meters", _PERIOD)
        self.devices: Mapping[str, MBusDevice] = {}

    @override
    def is_used(self, contexts: AbstractSet[str]) -> bool:
        """Return whether an entity of an M-Bus meter is enabled, or none is known."""
        return MBUS in contexts or not self.devices

    @override
    async def _read(self, meter: Meter, *, anew: bool) -> bool:
        """Store the M-Bus meters that have a serial number."""
        self.devices = {
            f"{device.manufacturer}{device.serial_number}".lower(): device
            for device in await meter.read_mbus_devices()
            if device.serial_number
        }
        return True

    @override
    def _forget(self, *, for_good: bool) -> None:
        self.devices = {}
