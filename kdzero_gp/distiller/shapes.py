"""Shapes of every node of a tree, inferred on meta tensors: no data, no arithmetic; and where they need a bridge."""

from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.tree import Node
from kdzero_gp.grammar.types import CONSTANTS
from kdzero_gp.untrusted import error_text

Shape = tuple[int, ...]
Shapes = tuple[Mapping[str, Shape], Mapping[str, Shape]]
"""Tap shapes of student and teacher."""


class ShapeInference:
    """Infers node shapes of one side from the shapes of its taps, remembering what it has inferred."""

    def __init__(self, side: str, taps: Mapping[str, Shape]) -> None:
        self.side = side
        self.taps = taps
        self._known: dict[Node, Shape] = {}

    def __call__(self, node: Node) -> Shape:
        """Shape of a knowledge node, the batch included.

        Raises:
            PrimitiveError: an operation fails on the shapes it is given.
        """
        if node.kind == "tap":
            return self.taps[node.symbol]
        if node not in self._known:
            self._known[node] = self._infer(node)
        return self._known[node]

    def _infer(self, node: Node) -> Shape:
        operation = node.operation
        if operation is None:
            raise AssertionError(f"{node.text} is no operation")
        inputs = tuple(self(child) for child in node.children if child.type not in CONSTANTS)
        if operation.side not in ("both", self.side):
            return inputs[0]
        constants = tuple(float(child.value or 0) for child in node.children if child.type in CONSTANTS)
        try:
            return output_shape(operation, inputs, constants)
        except Exception as error:
            shapes = ", ".join(map(str, inputs))
            raise PrimitiveError(
                f"{operation.source}: `{node.text}` fails on {self.side} input of shape {shapes}: {error_text(error)}"
            ) from error


@lru_cache(maxsize=4096)
def output_shape(operation: Operation, inputs: tuple[Shape, ...], constants: tuple[float, ...]) -> Shape:
    """Shape that an operation gives for inputs of these shapes.

    Remembered, since a search meets the same operations on the same taps again and again, and an operation on meta
    tensors costs more than one on small real ones.
    """
    options = {"generator": None} if operation.random else {}

    def run(device: str) -> Shape:
        tensors = [torch.zeros(shape, device=device) for shape in inputs]
        function = operation.function(*inputs) if operation.learned else operation.function
        if isinstance(function, torch.nn.Module):
            function = function.to(device)
        result: Tensor = function(*tensors, *constants, **options)
        return tuple(result.shape)

    with torch.no_grad(), torch.random.fork_rng(devices=[], enabled=operation.learned):
        try:
            return run("meta")
        except Exception:  # some operations need values to know their shape; zeros will do
            return run("cpu")


def aligned_arguments(
    root: Node, student: Mapping[str, Shape], teacher: Mapping[str, Shape]
) -> tuple[frozenset[Node], tuple[str, ...]]:
    """The distances' arguments whose two sides differ in shape, and the taps below them that need an aligner.

    A path that erases the difference (a Gram matrix over the batch, say) needs none.

    Args:
        root: of a whole tree.
        student, teacher: shapes of the taps, the batch included.
    """
    if all(tuple(student[tap]) == tuple(teacher[tap]) for tap in root.taps()):
        return frozenset(), ()
    infer_student, infer_teacher = ShapeInference("student", student), ShapeInference("teacher", teacher)
    arguments = dict.fromkeys(node.children[0] for node in root.walk() if node.kind == "distance")
    aligned = frozenset(a for a in arguments if infer_student(a) != infer_teacher(a))
    taps = sorted({tap for a in aligned for tap in a.taps() if tuple(student[tap]) != tuple(teacher[tap])})
    return aligned, tuple(taps)
