"""What events cost on a chip: sets of published costs, and files of the user's own."""

from .cost_set import Barrier, CostSet, EventCosts
from .reading import cost_set_named, cost_set_names

__all__ = ["Barrier", "CostSet", "EventCosts", "cost_set_named", "cost_set_names"]
