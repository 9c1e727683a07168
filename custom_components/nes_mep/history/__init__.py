"""The history of the entities: from the meter's load profile to statistics."""

from .importer import HistoryError, HistoryImport, HistoryImporter
from .schedule import History, history_store

__all__ = [
    "History",
    "HistoryError",
    "HistoryImport",
    "HistoryImporter",
    "history_store",
]
