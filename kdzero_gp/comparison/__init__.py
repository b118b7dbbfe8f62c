"""Several ways to train one student, side by side: all methods and seeds under one recipe, and the table of them."""

from kdzero_gp.comparison.compare import Comparison, compare

__all__ = ["Comparison", "compare"]
