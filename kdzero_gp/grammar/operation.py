"""One operation of the grammar: what it is called, which types it takes, what it computes."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from kdzero_gp.grammar.types import CONSTANTS, Logits, Loss, PerSample, Value, Vector

Kind = Literal["structure", "transform", "distance", "weight"]
Side = Literal["both", "student", "teacher"]


@dataclass(frozen=True)
class Signature:
    """One typing of an operation: the types it takes and the type it gives."""

    inputs: tuple[type, ...]
    output: type

    def __str__(self) -> str:
        return f"({', '.join(t.__name__ for t in self.inputs)}) -> {self.output.__name__}"


@dataclass(frozen=True)
class Operation:
    """One named operation with all its typings.

    Attributes:
        function: transform: `(*tensors, *constants) -> tensor` of one side; distance:
            `(student, teacher, *constants) -> (N,)`; weight: `(student_logits, teacher_logits, targets) -> (N,)`.
        identity: the operation changes nothing, the canonical form drops it.
        idempotent: applying it twice is applying it once, the canonical form merges repeats.
        random: the function takes a keyword `generator`; both sides get generators in the same state.
        side: which side a transform touches; the other passes unchanged.
        learned: `function` is a factory `(*input_shapes) -> nn.Module` whose module is trained with the student.
        labels: the function takes a keyword `targets`, (N,) int64.
        normalise: of a weighting: its weights are rescaled to mean 1 over the batch.
        extended: outside the search space of the paper's Table 1, drawn only with `--space extended`.
        source: file and line of the declaration.
    """

    name: str
    kind: Kind
    signatures: tuple[Signature, ...]
    function: Callable[..., Any]
    formula: str = ""
    doc: str = ""
    source: str = ""
    identity: bool = False
    idempotent: bool = False
    random: bool = False
    side: Side = "both"
    learned: bool = False
    labels: bool = False
    normalise: bool = True
    extended: bool = False
    _by_inputs: dict[tuple[type, ...], Signature] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_inputs", {s.inputs: s for s in self.signatures})

    @property
    def arity(self) -> int:
        """Number of arguments in the text form."""
        return len(self.signatures[0].inputs)

    def resolve(self, inputs: tuple[type, ...]) -> Signature | None:
        """The typing for these argument types, or None when there is none."""
        return self._by_inputs.get(inputs)


def with_logits(signatures: tuple[Signature, ...]) -> tuple[Signature, ...]:
    """Adds, for every typing that takes a `Vector`, the one that takes `Logits` in its place."""
    result = list(signatures)
    taken = {s.inputs for s in signatures}
    for signature in signatures:
        inputs = tuple(Logits if t is Vector else t for t in signature.inputs)
        if inputs not in taken:
            taken.add(inputs)
            result.append(Signature(inputs, signature.output))
    return tuple(result)


def single_precision_inside(function: Callable[..., Any]) -> Callable[..., Any]:
    """Computes in float32 when a tensor argument comes in half precision; other types pass untouched."""

    @functools.wraps(function)
    def widened(*arguments: Any, **options: Any) -> Any:
        return function(*map(widen, arguments), **options)

    return widened


def widen(value: Any) -> Any:
    """A half-precision tensor as float32, anything else as it is."""
    if isinstance(value, Tensor) and value.dtype in (torch.float16, torch.bfloat16):
        return value.float()
    return value


WEIGHT = Operation(
    name="weight",
    kind="structure",
    signatures=(Signature((Value, PerSample), Loss),),
    function=lambda value, distance: value * distance.mean(),
    formula=r"w\cdot\frac1N\sum_i d_i",
    doc="One term of the loss: a constant times the batch mean of a distance.",
    source="kdzero_gp/grammar/operation.py",
)
ADD = Operation(
    name="add",
    kind="structure",
    signatures=(Signature((Loss, Loss), Loss),),
    function=lambda left, right: left + right,
    formula=r"L_1 + L_2",
    doc="The sum of two losses.",
    source="kdzero_gp/grammar/operation.py",
)
STRUCTURE = (WEIGHT, ADD)

__all__ = ["ADD", "CONSTANTS", "STRUCTURE", "WEIGHT", "Kind", "Operation", "Side", "Signature", "with_logits"]
