"""Energy, efficiency and speed of an array from its counters."""

from golden.energy.costs import Costs
from golden.energy.model import efficiency, energy, total

__all__ = ["Costs", "efficiency", "energy", "total"]
