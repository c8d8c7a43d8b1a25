"""What events cost on a chip: sets of published costs, and files of the user's own."""

from .cost_set import CostSet
from .reading import cost_set_named, cost_set_names
from .schema import CostFileContents, Schema, CostTable, is_cost

__all__ = ["Contents", "CostSet", "Schema", "Table", "cost_set_named", "cost_set_names", "is_cost"]
