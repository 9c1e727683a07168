"""M-Bus devices behind the simulated meter."""

from .devices import GAS, HEAT, OLD_WATER, WATER, Consumption, MbusDevice, Medium
from .slot import MbusSlot, SlotStatus, scheduled_reads, scheduled_total
from .telegram import DATA_TYPE_HEADERS, Record

__all__ = [
    "DATA_TYPE_HEADERS",
    "GAS",
    "HEAT",
    "OLD_WATER",
    "WATER",
    "Consumption",
    "MbusDevice",
    "MbusSlot",
    "Medium",
    "Record",
    "SlotStatus",
    "scheduled_reads",
    "scheduled_total",
]
