"""What imported hours cost: from prices to the cost statistics of Energy."""

from .importer import CostImport, CostImporter
from .prices import ContradictingPricesError
from .request import COST_FIELDS, CostRequest
from .schedule import Costs, costs_store

__all__ = [
    "COST_FIELDS",
    "ContradictingPricesError",
    "CostImport",
    "CostImporter",
    "CostRequest",
    "Costs",
    "costs_store",
]
