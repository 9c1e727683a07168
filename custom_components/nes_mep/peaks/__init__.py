"""Average power of the tariff's intervals, and the peaks of the month."""

from .filling import Filling
from .intervals import Average
from .memory import PeakMemory
from .options import AUTOMATIC, DEFAULT_PEAK_OPTIONS, interval_of, rules_of
from .rules import WEEKDAYS
from .tracker import ENERGIES, Peaks, PeakValues

__all__ = [
    "AUTOMATIC",
    "DEFAULT_PEAK_OPTIONS",
    "ENERGIES",
    "WEEKDAYS",
    "Average",
    "Filling",
    "PeakMemory",
    "PeakValues",
    "Peaks",
    "interval_of",
    "rules_of",
]
