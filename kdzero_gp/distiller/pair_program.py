"""A tree's program for the shapes of a pair: aligners and learned operations, made once and used at every size."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Self

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.align import Aligner, class_mismatch
from kdzero_gp.distiller.pair_state import PairState
from kdzero_gp.distiller.program import Program, Side, Term
from kdzero_gp.distiller.shapes import Alignment, Shape, alignment_of, side_inferences
from kdzero_gp.errors import TapError
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.grammar.operation import own_copy
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import CONSTANTS, RANK, Logits
from kdzero_gp.knowledge import Knowledge

SIDES: tuple[Side, Side] = ("student", "teacher")
PROBED = 4
"""Batch size of shapes that are known without a batch."""


class PairProgram(PairState):
    """A tree with what it needs for one pair of networks, made for the shapes of their taps.

    Args:
        tree: as it was given; the canonical form is computed.
        terms: of the canonical form.
        seed: source of the initial weights of aligners and learned operations.
    """

    def __init__(self, tree: Tree, terms: tuple[Term, ...], seed: int) -> None:
        super().__init__()
        self.tree = tree
        self.terms_in_order = terms
        self.seed = seed
        self.aligners = nn.ModuleDict()
        self.learned = nn.ModuleDict()
        self._program: Program | None = None
        self._resized: dict[tuple[tuple[torch.Size, ...], ...], Program] = {}
        self._shapes: tuple[tuple[torch.Size, ...], ...] = ()
        self._tap_types = self._read_taps()
        self._taps = tuple(self._tap_types)
        self._placed = True

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of the taps it reads; sample weightings read the class scores."""
        return self._taps

    def prepare(self, student: Knowledge, teacher: Knowledge) -> Self:
        """Builds the aligners for the shapes of these two, on their device. Called by the first forward if not before.

        Raises:
            TapError: a tap is missing, or its two shapes cannot be bridged.
        """
        if self._program is not None:
            self._place(student)
            return self
        shapes = {"student": student.shapes(), "teacher": teacher.shapes()}
        for name, type_ in self._tap_types.items():
            for knowledge in (student, teacher):
                _check_rank(name, type_, knowledge[name])  # raises TapError with the taps there are
            if type_ is Logits and shapes["student"][name] != shapes["teacher"][name]:
                raise class_mismatch(shapes["student"][name], shapes["teacher"][name])
        self._compile(shapes, next(iter(student.values())).device)
        return self

    def pair_shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """By side and tap, the shape without the batch that it was prepared for; empty before that."""
        return {
            side: {tap: tuple(shape) for tap, shape in zip(self.taps, shapes, strict=True)}
            for side, shapes in zip(SIDES, self._shapes, strict=False)
        }

    def make_for(self, shapes: Mapping[str, Mapping[str, tuple[int, ...]]]) -> None:
        """Prepares it for taps of these shapes without the batch, on the CPU until its first use."""
        self._compile({side: {tap: (PROBED, *shape) for tap, shape in shapes[side].items()} for side in SIDES}, None)
        self._placed = False

    def _compile(self, shapes: Mapping[str, Mapping[str, Shape]], device: torch.device | None) -> None:
        """Builds the program for taps of these shapes, and the aligners and learned operations that are missing."""
        root = self.tree.canonical().root
        alignment = alignment_of(root, shapes["student"], shapes["teacher"])
        for tap in alignment.taps:
            if tap not in self.aligners:
                sides = shapes["student"][tap], shapes["teacher"][tap]
                self.aligners[tap] = Aligner(tap, *sides, self.seed, tap in alignment.learned).to(device)
        learned = self._build_learned(alignment, shapes, device)
        self._shapes = tuple(tuple(torch.Size(shapes[side][tap][1:]) for tap in self.taps) for side in SIDES)
        self._program = Program(self.terms_in_order, alignment.level, self._align, learned)

    def _place(self, student: Knowledge) -> None:
        """Moves what a loaded state has made to where the student is."""
        if not self._placed:
            self.to(next(iter(student.values())).device)
            self._placed = True

    def _read_taps(self) -> dict[str, type]:
        """Gives the taps with their types, in the order of their appearance, the scores for sample weightings at the
        end.
        """
        nodes = [node for term in self.terms_in_order for node in term.distance.walk()]
        taps = {node.symbol: node.type for node in nodes if node.kind == "tap"}
        if any(node.kind == "weight" for node in nodes):
            taps.setdefault(SCORES, Logits)
        return taps

    def _prepared_program(self, student: Knowledge, teacher: Knowledge) -> Program:
        """Gives the program, after a check that it was made for these shapes, or for maps of another resolution."""
        found = tuple(tuple(k[tap].shape[1:] for tap in self.taps) for k in (student, teacher))
        if found != self._shapes and found not in self._resized:
            for knowledge, shapes, side in zip((student, teacher), self._shapes, SIDES, strict=True):
                for tap, shape in zip(self.taps, shapes, strict=True):
                    given = knowledge[tap].shape[1:]
                    if given != shape and not (len(given) == len(shape) == 3 and given[0] == shape[0]):
                        raise TapError(
                            f"the {side}'s `{tap}` has shape {tuple(knowledge[tap].shape)}, but this distiller was "
                            f"prepared for (N, {', '.join(map(str, shape))}); make a new Distiller for another pair"
                        )
            self._resized[found] = self._resized_program({"student": student.shapes(), "teacher": teacher.shapes()})
        program = self._program if found == self._shapes else self._resized[found]
        if program is None:
            raise AssertionError("prepare() leaves a program")
        return program

    def _resized_program(self, shapes: Mapping[str, Mapping[str, Shape]]) -> Program:
        """Gives the program for images of another size, with the aligners and learned operations that there are.

        Raises:
            TapError: something would have to be learned anew.
        """
        root = self.tree.canonical().root
        alignment = alignment_of(root, shapes["student"], shapes["teacher"])
        bridges = {
            tap: Aligner(tap, shapes["student"][tap], shapes["teacher"][tap], self.seed, tap in alignment.learned)
            for tap in alignment.taps
        }
        before = set(self.learned)
        learned = self._build_learned(alignment, shapes, None)
        fresh = [name for name in self.learned if name not in before]
        for name in fresh:
            del self.learned[name]
        fresh += [tap for tap, bridge in bridges.items() if bridge.weight is not None and tap not in self.aligners]
        if fresh:
            raise TapError(
                f"at another image size this distiller needs parameters of another shape ({', '.join(fresh)}); keep to "
                "images of one size, or make a new Distiller"
            )

        def align(tap: str, side: Side, x: Tensor, mapped: bool) -> Tensor:
            if tap not in bridges:
                return x
            aligner, size = self.aligners[tap] if tap in self.aligners else bridges[tap], bridges[tap].size
            if not isinstance(aligner, Aligner):
                raise TapError(f"the aligner of `{tap}` was replaced by a {type(aligner).__name__}")
            return aligner.student(x, mapped, size) if side == "student" else aligner.teacher(x, size)

        return Program(self.terms_in_order, alignment.level, align, learned)

    def _align(self, tap: str, side: Side, x: Tensor, mapped: bool) -> Tensor:
        if tap not in self.aligners:
            return x
        aligner = self.aligners[tap]
        if not isinstance(aligner, Aligner):
            raise TapError(f"the aligner of `{tap}` was replaced by a {type(aligner).__name__}")
        return aligner.student(x, mapped) if side == "student" else aligner.teacher(x)

    def _build_learned(
        self, alignment: Alignment, shapes: Mapping[str, Mapping[str, Shape]], device: torch.device | None
    ) -> dict[tuple[Node, Side], Callable[..., Tensor]]:
        """Gives the learned operations by the sides that they touch, their modules initialised from the seed.

        An operation has one module for each shape of its inputs: the same subtree may stand below a distance that
        aligns its taps and below another that does not.
        """
        places: dict[tuple[Node, Side], int] = {}
        for node in (node for argument, _ in alignment.level for node in argument.walk()):
            for side in SIDES:
                if node.operation is not None and node.operation.learned and node.operation.side in ("both", side):
                    places.setdefault((node, side), len(places))
        if not places:
            return {}
        for (argument, _), level in alignment.level.items():
            inferences = side_inferences(shapes["student"], shapes["teacher"], level)
            for side, infer in zip(SIDES, inferences, strict=True):
                for node in argument.walk():
                    if node.operation is None or (node, side) not in places:
                        continue
                    inputs: list[Shape] = [infer(child) for child in node.children if child.type not in CONSTANTS]
                    name = _learned_name(side, places[node, side], inputs)
                    if name not in self.learned:
                        both = [*inputs, infer.other(node.children[0])] if node.operation.bridges else inputs
                        with torch.random.fork_rng(devices=[]):
                            torch.manual_seed(self.seed + places[node, side])
                            self.learned[name] = node.operation.function(*both).to(device)
        return {(node, side): partial(self._learned_step, node, side, place) for (node, side), place in places.items()}

    def _learned_step(self, node: Node, side: Side, place: int, *inputs: Any, **options: Any) -> Tensor:
        tensors = [x.shape for x in inputs if isinstance(x, Tensor)]
        if node.operation is not None and node.operation.foreign:
            inputs = tuple(map(own_copy, inputs))
        result: Tensor = self.learned[_learned_name(side, place, tensors)](*inputs, **options)
        return result


def _check_rank(name: str, type_: type, tensor: Tensor) -> None:
    if tensor.dim() != RANK[type_]:
        wanted = {4: "(N, C, H, W)", 3: "(N, R, D)", 2: "(N, D)"}[RANK[type_]]
        raise TapError(f"tap `{name}` has shape {tuple(tensor.shape)}, but must be {wanted}")


def _learned_name(side: Side, place: int, inputs: Iterable[Shape]) -> str:
    """Gives the name of a learned operation's module for inputs of these shapes, which begin with the batch."""
    return "_".join([side, str(place), *("x".join(map(str, shape[1:])) for shape in inputs)])
