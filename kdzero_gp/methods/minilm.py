"""MiniLM: Wang et al.: MiniLM: Deep Self-Attention Distillation (NeurIPS 2020)."""

from __future__ import annotations

import math

from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, Shapes
from kdzero_gp.methods.method import Stages, module_method
from kdzero_gp.methods.token_relations import map_tokens, relations, rows_apart
from kdzero_gp.methods.world import Now, World


@module_method(
    "minilm",
    "Wang et al.: MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression (NeurIPS 2020)",
    needs_stages=True,
    home="GLUE; here its map form",
)
class MiniLm(MethodLoss):
    """Attention and value relations of one block: KL of their rows, teacher against student, mean over heads and rows.

    Attention is softmax(Q·Kᵀ / √d), the value relation softmax(V·Vᵀ / √d); weight 1 each. Heads and tokens that differ
    in number are brought together: heads side by side as one, tokens as a grid without those that are no place of it,
    averaged to the smaller grid, at most 8x8.

    Where a network has no attention its last stage takes its place, this project's form: places averaged to at most 8x8
    are the tokens, queries, keys and values at once, so that both relations are one. The paper has no cross-entropy.

    Args:
        student_block, teacher_block: number of the attention block of each; 0 for the last stage.
    """

    def __init__(
        self,
        stages: Stages,
        *,
        attention: float = 1.0,
        values: float = 1.0,
        student_block: int = 0,
        teacher_block: int = 0,
    ) -> None:
        self.taps = tuple(f"attn{block}" if block else stages[-1] for block in (student_block, teacher_block))
        super().__init__(student=[self.taps[0]], teacher=[self.taps[1]])
        self.attention, self.values = attention, values

    def build(self, student: Shapes, teacher: Shapes, world: World) -> None:
        attending = [tap.startswith("attn") for tap in self.taps]
        self.heads = 1
        self.aligned = all(attending) and student[self.taps[0]][1] == teacher[self.taps[1]][1]
        if self.aligned:
            ours, theirs = (
                network.heads(tap) for network, tap in zip(world.networks("minilm"), self.taps, strict=True)
            )
            self.aligned = ours == theirs
            self.heads = ours if self.aligned else 1

    def loss(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> dict[str, Tensor]:
        sides = [_queries_keys_values(side[tap]) for side, tap in zip((student, teacher), self.taps, strict=True)]
        if not self.aligned:
            pairs = [map_tokens(_grid(own), _grid(other)) for own, other in zip(*sides, strict=True)]
            sides = [tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)]
        attended = [relations(q, k, self.heads) for q, k, _ in sides]
        related = [relations(v, v, self.heads) for _, _, v in sides]
        return {
            "attention": self.attention * rows_apart(*attended),
            "values": self.values * rows_apart(*related),
        }


def _queries_keys_values(tap: Tensor) -> tuple[Tensor, ...]:
    return tap.chunk(3, dim=2) if tap.dim() == 3 else (tap, tap, tap)


def _grid(side: Tensor) -> Tensor:
    """Tokens (N, L, D) as the map (N, D, √L, √L) of its last places; a map as it is."""
    if side.dim() == 4:
        return side
    width = math.isqrt(side.shape[1])
    grid: Tensor = side[:, -width * width :].transpose(1, 2).unflatten(2, (width, width))
    return grid
