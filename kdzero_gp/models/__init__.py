"""Networks by name, the user's own, and their weights."""

from kdzero_gp.models.weights import load_weights
from kdzero_gp.models.zoo import build, input_size, names, parameter_count

__all__ = ["build", "input_size", "load_weights", "names", "parameter_count"]
