"""Infers the shapes of a tree's nodes on meta tensors, and the alignment that the two sides need."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from kdzero_gp.errors import PrimitiveError
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.tree import Node
from kdzero_gp.grammar.types import CONSTANTS
from kdzero_gp.torch_state import same_torch
from kdzero_gp.untrusted import error_text, only_exceptions

Shape = tuple[int, ...]
Level = Literal["plain", "pooled", "mapped"]
"""How a distance's argument reads its taps: as they are; in the smaller resolution; and with their channels mapped."""
LEVELS: tuple[Level, ...] = ("plain", "pooled", "mapped")
Shapes = tuple[Mapping[str, Shape], Mapping[str, Shape]]
"""Tap shapes of student and teacher."""


class ShapeInference:
    """Infers node shapes of one side from the shapes of its taps, remembering what it has inferred.

    Attributes:
        other: the other side, whose shapes a bridging operation is made for.
    """

    other: "ShapeInference"

    def __init__(self, side: str, taps: Mapping[str, Shape]) -> None:
        self.side = side
        self.taps = taps
        self._known: dict[Node, Shape] = {}

    def __call__(self, node: Node) -> Shape:
        """Infers the shape of a knowledge node, the batch included.

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
        if operation.bridges:
            inputs += (self.other(node.children[0]),)
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
    """Infers the output shape of an operation for inputs of these shapes.

    Remembered, since a search meets the same operations on the same taps again and again, and an operation on meta
    tensors costs more than one on small real ones.
    """
    options = {"generator": None} if operation.random else {}

    def run(device: str) -> Shape:
        tensors = [torch.zeros(shape, device=device) for shape in (inputs[:1] if operation.bridges else inputs)]
        function = operation.function(*inputs) if operation.learned else operation.function
        if isinstance(function, torch.nn.Module):
            function = function.to(device)
        name = f"`{operation.name}` ({operation.source})"
        with same_torch(lambda: name), only_exceptions(lambda: name):
            result: Tensor = function(*tensors, *constants, **options)
        return tuple(result.shape)

    with torch.no_grad(), torch.random.fork_rng(devices=[], enabled=operation.learned):
        try:
            return run("meta")
        except Exception:  # some operations need values to know their shape; zeros will do
            return run("cpu")


@dataclass(frozen=True)
class Alignment:
    """The alignment of a pair: which taps meet, and how.

    Attributes:
        level: by a distance's argument and whether that distance is ragged, how its taps are read.
        taps: those that an aligner stands on, sorted.
        learned: those of them whose aligner maps channels.
    """

    level: Mapping[tuple[Node, bool], Level]
    taps: tuple[str, ...]
    learned: frozenset[str]


def alignment_of(root: Node, student: Mapping[str, Shape], teacher: Mapping[str, Shape]) -> Alignment:
    """Finds the least alignment that makes the arguments of every distance comparable.

    A path that erases the difference (a Gram matrix over the batch, say) needs nothing; one that erases the difference
    in channels, or a distance that does not mind it, needs resolutions to meet and nothing learned.

    Args:
        root: of a whole tree.
        student, teacher: shapes of the taps, the batch included.
    """
    distances = [node for node in root.walk() if node.kind == "distance" and node.operation is not None]
    arguments = dict.fromkeys((node.children[0], bool(node.operation and node.operation.ragged)) for node in distances)
    if all(tuple(student[tap]) == tuple(teacher[tap]) for tap in root.taps()):
        return Alignment(dict.fromkeys(arguments, "plain"), (), frozenset())
    inferences = {level: side_inferences(student, teacher, level) for level in LEVELS}
    levels = {}
    for argument, ragged in arguments:
        levels[argument, ragged] = next(
            level
            for level, (own, other) in inferences.items()
            if level == "mapped" or comparable(own(argument), other(argument), ragged=ragged)
        )
    aligned: dict[str, bool] = {}
    for (argument, _), level in levels.items():
        for tap in argument.taps():
            ours, theirs = tuple(student[tap]), tuple(teacher[tap])
            if ours != theirs and (level == "mapped" or (level == "pooled" and ours[2:] != theirs[2:])):
                aligned[tap] = aligned.get(tap, False) or level == "mapped"
    return Alignment(levels, tuple(sorted(aligned)), frozenset(tap for tap, learned in aligned.items() if learned))


def comparable(student: Shape, teacher: Shape, *, ragged: bool) -> bool:
    """Tells whether a distance takes sides of these shapes; a ragged one lets dimension 1 differ."""
    if ragged and len(student) == len(teacher):
        return (student[0], *student[2:]) == (teacher[0], *teacher[2:])
    return tuple(student) == tuple(teacher)


def side_inferences(
    student: Mapping[str, Shape], teacher: Mapping[str, Shape], level: Level
) -> tuple[ShapeInference, ShapeInference]:
    """Makes the shape inference of both sides at one level of alignment."""
    read = (student, teacher)
    if level != "plain":
        pairs = {tap: (tuple(student[tap]), tuple(teacher[tap])) for tap in student if tap in teacher}
        read = tuple({tap: _read(pair[side], pair, level) for tap, pair in pairs.items()} for side in (0, 1))  # type: ignore[assignment]
    ours, theirs = ShapeInference("student", read[0]), ShapeInference("teacher", read[1])
    ours.other, theirs.other = theirs, ours
    return ours, theirs


def _read(own: Shape, pair: tuple[Shape, Shape], level: Level) -> Shape:
    """Gives the shape of one side's tap behind the aligner."""
    student, teacher = pair
    channel = 2 if len(own) == 3 else 1
    common = list(own)
    if len(student) != len(teacher):
        return own  # the aligner refuses it
    if len(own) == 4:
        common[2:] = (min(s, t) for s, t in zip(student[2:], teacher[2:], strict=True))
    if level == "mapped":
        common[channel] = teacher[channel]
    return tuple(common)
