"""The operation that does nothing: it lets the search keep a place open."""

from torch import Tensor

from kdzero_gp.grammar import Logits, Map, Rows, Vector, transform


@transform(Map, Rows, Vector, Logits, identity=True, formula=r"x")
def no(x: Tensor) -> Tensor:
    """The input itself, any shape; logits stay logits. Source: KD-Zero (NeurIPS 2023), Table 1."""
    return x
