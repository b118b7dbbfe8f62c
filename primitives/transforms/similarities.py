"""How alike the samples of a batch are, whatever their length (extended set)."""

from torch import Tensor

from kdzero_gp.grammar import Map, Rows, Vector, transform
from primitives.guards import unit


@transform(Map, Rows, Vector, to=Vector, extended=True, formula=r"\cos(x_i,x_j)")
def cosines(x: Tensor) -> Tensor:
    """Cosines between the flattened samples, (N, N) in [-1, 1]; 0 for a sample of zeros.

    Source: Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer" (ECCV 2018).
    """
    flat = unit(x.flatten(1), (1,))
    return flat @ flat.T
