"""What a tap is in the language of distillers, by its role."""

from typing import Final

from kdzero_gp.grammar.types import Logits, Map, Rows, Vector
from kdzero_gp.taps.tap import Role

TYPES: Final[dict[Role, type]] = {
    "map": Map,
    "rows": Rows,
    "vector": Vector,
    "scores": Logits,
    "dense_scores": Map,
    "region_scores": Logits,
}
"""Class scores of every place are a map of their own, to which all operations on maps apply."""
