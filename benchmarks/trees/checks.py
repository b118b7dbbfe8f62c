"""What every random tree has to keep, checked without the code that made it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from benchmarks.harness.random_knowledge import Pair, knowledge, targets
from kdzero_gp import Distiller, Loss, Tree, parse
from kdzero_gp.errors import KdzeroError
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.types import CONSTANTS

TOKEN = re.compile(r"[A-Za-z_]\w*|[0-9.e+-]+|[(),]")


@dataclass(frozen=True)
class Numbers:
    """What came of one forward and backward pass.

    Attributes:
        loss: the loss is finite.
        gradient: every gradient, of student taps and aligners, is finite.
        moves: some gradient is not zero: a matter of the tree, not of the engine's soundness.
    """

    loss: bool
    gradient: bool
    moves: bool


def type_valid(text: str, operations: Mapping[str, Operation], taps: Mapping[str, type]) -> bool:
    """Whether a text is one complete Loss by the declared signatures: typed here from the text alone, leaves first."""
    tokens = TOKEN.findall(text)
    if "".join(tokens) != text.replace(" ", ""):
        return False
    try:
        type_, rest = _typed(tokens, operations, taps)
    except (LookupError, ValueError):
        return False
    return type_ is Loss and not rest


def _typed(
    tokens: Sequence[str], operations: Mapping[str, Operation], taps: Mapping[str, type]
) -> tuple[type | None, Sequence[str]]:
    """The type of the expression that the tokens begin with, None for a number, and the tokens behind it."""
    head, rest = tokens[0], tokens[1:]
    if head in taps:
        return taps[head], rest
    if head not in operations:
        return None, rest if float(head) > 0 else []  # `float` refuses what is no number
    arguments: list[type | None] = []
    mark = "("
    for _ in range(len(operations[head].signatures[0].inputs)):
        if rest[0] != mark:
            raise ValueError(f"{rest[0]} stands where {mark} belongs")
        argument, rest = _typed(rest[1:], operations, taps)
        arguments.append(argument)
        mark = ","
    if rest[0] != ")":
        raise ValueError(f"{rest[0]} stands where ) belongs")
    for signature in operations[head].signatures:
        matches = (
            wanted in CONSTANTS if given is None else wanted is given
            for wanted, given in zip(signature.inputs, arguments, strict=True)
        )
        if all(matches):
            return signature.output, rest[1:]
    raise ValueError(f"{head} has no typing for {arguments}")


def depth_and_size(text: str) -> tuple[int, int]:
    """Height and number of nodes, counted from the brackets of the text."""
    level = deepest = size = 0
    for token in TOKEN.findall(text):
        level += {"(": 1, ")": -1}.get(token, 0)
        deepest = max(deepest, level)
        size += token not in "(),"
    return deepest, size


def round_trip(tree: Tree) -> bool:
    """Whether the text form reads back as the same tree, symbol for symbol with its typing, and prints the same."""
    text = str(tree)
    again = parse(text)
    return str(again) == text and _symbols(again) == _symbols(tree)


def _symbols(tree: Tree) -> list[tuple[str, type]]:
    return [(str(symbol.name), symbol.ret) for symbol in tree]


def finite(tree: Tree, pair: Pair, seed: int, *, rectified: bool) -> Numbers | str:
    """A forward and a backward pass on random knowledge; the message of what was raised, if something was."""
    student = knowledge(pair.student, 2 * seed, rectified=rectified, graph=True)
    teacher = knowledge(pair.teacher, 2 * seed + 1, rectified=rectified)
    try:
        distiller = Distiller(tree).prepare(student, teacher)
        loss = distiller(student, teacher, targets(seed))
        leaves = [*student.values(), *distiller.parameters()]
        reached = loss.requires_grad
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True) if reached else [None] * len(leaves)
    except (KdzeroError, RuntimeError, ArithmeticError, ValueError, TypeError) as error:
        return f"{type(error).__name__}: {error}"
    known = [g for g in gradients if g is not None]
    return Numbers(
        loss=bool(torch.isfinite(loss)),
        gradient=all(bool(torch.isfinite(g).all()) for g in known),
        moves=any(bool(g.any()) for g in known),
    )
