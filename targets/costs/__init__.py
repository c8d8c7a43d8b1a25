"""What events cost on a chip: sets of published costs, and files of the user's own."""

from .cost_set import CostSet
from .reading import cost_set_named, cost_set_names
from .schema import CostFileContents, CostTable, Schema, is_cost

__all__ = [
    "CostFileContents",
    "CostSet",
    "Schema",
    "CostTable",
    "cost_set_named",
    "cost_set_names",
    "is_cost",
]
