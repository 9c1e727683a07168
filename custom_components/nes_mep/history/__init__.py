"""The history of the entities: from the meter's load profile to statistics."""

from .downloads import reach_of
from .entities import Logged
from .importer import HistoryImporter
from .memory import HistoryMemory
from .result import HistoryError, HistoryImport, NoRecorderError
from .schedule import History, HistoryState

__all__ = [
    "History",
    "HistoryError",
    "HistoryImport",
    "HistoryImporter",
    "HistoryMemory",
    "HistoryState",
    "Logged",
    "NoRecorderError",
    "reach_of",
]
