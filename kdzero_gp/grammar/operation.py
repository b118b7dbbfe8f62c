"""One operation of the grammar: what it is called, which types it takes, what it computes."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from kdzero_gp.grammar.types import CONSTANTS, Logits, Loss, PerSample, Value, Vector
from kdzero_gp.knowledge import unhalved

Kind = Literal["structure", "transform", "distance", "weight"]
Side = Literal["both", "student", "teacher"]
Classes = Literal["any", "exclusive", "independent"]
"""What an operation takes class scores for: numbers of any kind; one distribution over classes of which an image has
exactly one; or one yes or no for each class."""


BUILT_IN = "primitives/"
"""How the sources of built-in operations begin."""
LEARNED = (
    "declare a class (or a function that returns a module) which is made from the shape of its input: "
    "@transform(Map, learned=True) above `class Mine(nn.Module)` with `def __init__(self, shape)`, where shape[1] is "
    "the number of channels, and `def forward(self, x)`"
)
"""The form of learned primitives, for messages."""


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
        learned: `function` is a factory `(*input_shapes) -> nn.Module`, or a class of modules made so, whose module is
            trained with the student.
        bridges: of a learned transform of one input on one side: the factory takes the shapes of both sides,
            `(own, other)`, and its module brings the one to the other, so that no aligner is needed.
        ragged: of a distance: the two sides may differ in dimension 1, in channels, rows or features.
        labels: the function takes a keyword `targets`: (N,) int64, the class of each image; where classes do not
            exclude one another (N, K) float of 0 and 1, which an operation sees only if its `classes` are not
            `exclusive`.
        normalise: of a weighting: its weights are rescaled to mean 1 over the batch.
        classes: what it takes class scores for. Of an `exclusive` one, the typings with `Logits` (a weighting as a
            whole) fit only tasks whose images have exactly one class; an `independent` one is drawn only in others.
        extended: outside the search space of the paper's Table 1, drawn only with `--space extended`.
        source: file and line of the declaration.
        code: name and text of its file and of those it imports from beside it, as they were when it was declared.
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
    bridges: bool = False
    ragged: bool = False
    labels: bool = False
    normalise: bool = True
    classes: Classes = "any"
    extended: bool = False
    code: tuple[tuple[str, str], ...] = field(default=(), repr=False, compare=False)
    _by_inputs: dict[tuple[type, ...], Signature] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_inputs", {s.inputs: s for s in self.signatures})

    @property
    def foreign(self) -> bool:
        """Whether it is the user's and not one of the program's own."""
        return self.kind != "structure" and not self.source.startswith(BUILT_IN)

    @property
    def module(self) -> str:
        """Name of the Python module that declares it."""
        return str(getattr(inspect.unwrap(self.function), "__module__", ""))

    @property
    def arity(self) -> int:
        """Number of arguments in the text form."""
        return len(self.signatures[0].inputs)

    def drawn(self, *, extended: bool, exclusive: bool) -> bool:
        """Tells whether a search draws the operation, in this space and for this kind of classes.

        The counterparts of softmax operations for independent classes belong to any space of a task with such classes.
        """
        if self.classes == "independent":
            return not exclusive
        return extended or not self.extended

    def typings(self, *, exclusive: bool) -> tuple[Signature, ...]:
        """Gives the typings that fit a task whose classes exclude one another, or do not."""
        if exclusive or self.classes != "exclusive":
            return self.signatures
        if self.kind == "weight":
            return ()
        return tuple(signature for signature in self.signatures if Logits not in signature.inputs)

    def resolve(self, inputs: tuple[type, ...]) -> Signature | None:
        """Gives the typing for these argument types, or None when there is none."""
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


def single_precision_inside(function: Callable[..., Any], *, copied: bool = False) -> Callable[..., Any]:
    """Computes in float32 when a tensor argument comes in half precision; other types pass untouched.

    Args:
        copied: the function gets tensors of its own. What a foreign one does to its inputs, now or after a thousand
            calls, then changes nothing that other operations and other candidates read.
    """
    hand = own_copy if copied else widen

    @functools.wraps(function)
    def widened(*arguments: Any, **options: Any) -> Any:
        return function(*map(hand, arguments), **options)

    return widened


def own_copy(value: Any) -> Any:
    """Gives a tensor's copy, in float32 for half precision; anything else as it is."""
    wide = widen(value)
    return wide.clone() if wide is value and isinstance(value, Tensor) else wide


def widen(value: Any) -> Any:
    """Gives a half-precision tensor as float32, anything else as it is."""
    return unhalved(value) if isinstance(value, Tensor) else value


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

__all__ = [
    "ADD",
    "CONSTANTS",
    "STRUCTURE",
    "WEIGHT",
    "Classes",
    "Kind",
    "Operation",
    "Side",
    "Signature",
    "with_logits",
]
