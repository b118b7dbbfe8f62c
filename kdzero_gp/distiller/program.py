"""A tree as a flat list of tensor operations in which every shared subtree stands once."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from kdzero_gp.distiller.labels import filled_labels, label_fault, mean_one, of_the_labelled
from kdzero_gp.distiller.shapes import Level
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.grammar.operation import ADD, WEIGHT, Operation
from kdzero_gp.grammar.tree import Node
from kdzero_gp.grammar.types import CONSTANTS
from kdzero_gp.knowledge import Knowledge, unhalved

Side = Literal["student", "teacher"]
Step = Callable[["Context"], Tensor]


@dataclass
class Context:
    """The inputs of one evaluation, and the results of its steps so far."""

    student: Knowledge
    teacher: Knowledge
    targets: Tensor | None
    generator: Callable[[int, Tensor], torch.Generator]
    values: list[Tensor]
    labels: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Term:
    """One summand of a distiller: a constant times the batch mean of a per-sample distance."""

    text: str
    value: float
    distance: Node


def terms_of(root: Node) -> tuple[Term, ...]:
    """Lists the summands of a loss, in the order of its text."""
    terms: list[Term] = []
    open_ = [root]
    while open_:  # a sum is a chain as deep as it has terms
        node = open_.pop()
        if node.operation is ADD:
            open_ += reversed(node.children)
            continue
        if node.operation is not WEIGHT:
            raise AssertionError(f"{node.text} is not a Loss")
        value, distance = node.children
        terms.append(Term(node.text, float(value.value or 0.0), distance))
    return tuple(terms)


_UNSET = torch.empty(0)


class Program:
    """Evaluation order of a tree's terms.

    Args:
        terms: the summands.
        levels: by a distance's argument and whether that distance is ragged, how its taps are read.
        align: `(tap, side, tensor, mapped=…)`, applies the aligner of a tap to one side's tensor.
        learned: the modules of learned operations, by (node, side).
    """

    def __init__(
        self,
        terms: Sequence[Term],
        levels: Mapping[tuple[Node, bool], Level],
        align: Callable[..., Tensor],
        learned: Mapping[tuple[Node, Side], Callable[..., Tensor]],
    ) -> None:
        self._levels = levels
        self._align = align
        self._learned = learned
        self._slots: dict[tuple[Node, str, Level], int] = {}
        self._frozen: list[bool] = []
        self._steps: list[Step] = []
        self._draw_of: dict[Node, int] = {}
        self.results = tuple(self._joint(term.distance) for term in terms)
        # the teacher's branch first and in one block without gradient
        self._order = sorted(range(len(self._steps)), key=lambda slot: not self._frozen[slot])
        self._first_live = sum(self._frozen)

    def __call__(self, context: Context) -> list[Tensor]:
        """Computes the per-sample distance of every term."""
        context.values = values = [_UNSET] * len(self._steps)
        with torch.no_grad():
            for slot in self._order[: self._first_live]:
                values[slot] = self._steps[slot](context)
        for slot in self._order[self._first_live :]:
            values[slot] = self._steps[slot](context)
        return [values[slot] for slot in self.results]

    def values(self, context: Context) -> dict[Node, Tensor]:
        """Gives the value of every node after a call on this context: the student's side, (N,) behind a distance."""
        return {node: context.values[slot] for (node, side, _), slot in self._slots.items() if side != "teacher"}

    def _add(self, key: tuple[Node, str, Level], step: Step, *, frozen: bool) -> int:
        self._slots[key] = len(self._steps)
        self._steps.append(step)
        self._frozen.append(frozen)
        return self._slots[key]

    def _joint(self, node: Node) -> int:
        """Gives the slot of a PerSample node: a distance, or a weighting of one."""
        key: tuple[Node, str, Level] = (node, "joint", "plain")
        if key in self._slots:
            return self._slots[key]
        operation = _operation(node)
        if operation.kind == "weight":
            return self._add(key, _weighting(operation, self._joint(node.children[0])), frozen=False)
        argument = node.children[0]
        level = self._levels[argument, operation.ragged]
        student, teacher = self._side(argument, "student", level), self._side(argument, "teacher", level)
        return self._add(key, _distance(operation, student, teacher, _constants(node)), frozen=False)

    def _side(self, node: Node, side: Side, level: Level) -> int:
        """Gives the slot of one side's tensor of a knowledge node."""
        key = (node, side, level)
        if key in self._slots:
            return self._slots[key]
        if node.kind == "tap":
            align = None if level == "plain" else partial(self._align, mapped=level == "mapped")
            return self._add(key, _tap(node.symbol, side, align), frozen=side == "teacher")
        operation = _operation(node)
        inputs = [self._side(child, side, level) for child in node.children if child.type not in CONSTANTS]
        if operation.side not in ("both", side):
            self._slots[key] = inputs[0]
            return inputs[0]
        function = self._learned.get((node, side), operation.function)
        draw = self._draw_of.setdefault(node, len(self._draw_of)) if operation.random else None
        frozen = all(self._frozen[slot] for slot in inputs) and not operation.learned
        return self._add(key, _transform(function, inputs, _constants(node), draw), frozen=frozen)


def _operation(node: Node) -> Operation:
    if node.operation is None:
        raise AssertionError(f"{node.text} is no operation")
    return node.operation


def _constants(node: Node) -> list[float]:
    return [float(child.value or 0.0) for child in node.children if child.type in CONSTANTS]


def _tap(name: str, side: Side, align: Callable[..., Tensor] | None) -> Step:
    def step(context: Context) -> Tensor:
        x = context.student[name] if side == "student" else context.teacher[name].detach()
        x = unhalved(x)
        return x if align is None else align(name, side, x)

    return step


def _transform(function: Callable[..., Any], inputs: list[int], constants: list[float], draw: int | None) -> Step:
    if draw is not None:

        def random_step(context: Context) -> Tensor:
            tensors = [context.values[slot] for slot in inputs]
            result: Tensor = function(*tensors, *constants, generator=context.generator(draw, tensors[0]))
            return result

        return random_step
    if len(inputs) == 1 and not constants:
        only = inputs[0]
        return lambda context: function(context.values[only])
    return lambda context: function(*[context.values[slot] for slot in inputs], *constants)


def _distance(operation: Operation, student: int, teacher: int, constants: list[float]) -> Step:
    function = operation.function
    if operation.labels and operation.classes == "exclusive":

        def labelled_step(context: Context) -> Tensor:
            labels, known = _labels(operation, context)
            sides = context.values[student], context.values[teacher]
            return of_the_labelled(function(*sides, *constants, targets=labels), known)

        return labelled_step
    if operation.labels:
        return lambda context: function(
            context.values[student], context.values[teacher], *constants, targets=_targets(operation, context)
        )
    return lambda context: function(context.values[student], context.values[teacher], *constants)


def _weighting(operation: Operation, distance: int) -> Step:
    def step(context: Context) -> Tensor:
        options: dict[str, Tensor] = {}
        known = None
        if operation.labels and operation.classes == "exclusive":
            options["targets"], known = _labels(operation, context)
        elif operation.labels:
            options["targets"] = _targets(operation, context)
        with torch.no_grad():
            weights: Tensor = operation.function(context.student[SCORES], context.teacher[SCORES], **options)
            if operation.normalise:
                weights = mean_one(weights, known)
        return context.values[distance] * weights

    return step


def _labels(operation: Operation, context: Context) -> tuple[Tensor, Tensor]:
    """Gives every sample's class, or all its classes where the operation takes them, and whether they are known."""
    if operation.classes != "exclusive" and context.targets is not None and context.targets.dim() == 2:
        return context.targets, torch.ones(len(context.targets), dtype=torch.bool, device=context.targets.device)
    if context.labels is None:
        scores = context.student[SCORES] if SCORES in context.student else None  # noqa: SIM401  # no tap is an error
        fault = label_fault(context.targets, f"`{operation.name}`", scores)
        if fault or context.targets is None:
            raise ConfigError(fault)
        context.labels = filled_labels(context.targets)
    return context.labels


def _targets(operation: Operation, context: Context) -> Tensor:
    """Gives the targets in the task's own form."""
    if context.targets is None:
        raise ConfigError(label_fault(None, f"`{operation.name}`"))
    return context.targets
