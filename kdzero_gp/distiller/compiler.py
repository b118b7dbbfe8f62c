"""Compiles a distiller for the shapes of a pair: its program, and the modules that are trained with it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.align import Aligner, Size
from kdzero_gp.distiller.program import Program, Side, Term
from kdzero_gp.distiller.shapes import Alignment, Shape, alignment_of, side_inferences
from kdzero_gp.errors import TapError
from kdzero_gp.grammar.operation import own_copy
from kdzero_gp.grammar.tree import Node
from kdzero_gp.grammar.types import CONSTANTS

SIDES: tuple[Side, Side] = ("student", "teacher")
SideShapes = Mapping[str, Mapping[str, Shape]]
"""By side and tap, the shape with the batch."""
Learned = Mapping[tuple[Node, Side], Callable[..., Tensor]]


@dataclass(frozen=True)
class Compiler:
    """Makes the programs of one distiller; all of them share its modules.

    Attributes:
        root: of the canonical form.
        terms: its summands.
        seed: source of initial weights.
        aligners, learned: the distiller's modules, to which those that are missing are added.
    """

    root: Node
    terms: tuple[Term, ...]
    seed: int
    aligners: nn.ModuleDict
    learned: nn.ModuleDict

    def compile(self, shapes: SideShapes, device: torch.device | None) -> Program:
        """Compiles the program for taps of these shapes, and adds the modules that are missing.

        Raises:
            TapError: the shapes of the two sides cannot be bridged.
        """
        alignment = alignment_of(self.root, shapes["student"], shapes["teacher"])
        for tap in alignment.taps:
            if tap not in self.aligners:
                self.aligners[tap] = self._aligner(tap, alignment, shapes).to(device)
        learned = self._build_learned(alignment, shapes, device)

        def align(tap: str, side: Side, x: Tensor, mapped: bool) -> Tensor:
            return _aligned(tap, self.aligners[tap], side, x, mapped) if tap in self.aligners else x

        return Program(self.terms, alignment.level, align, learned)

    def compile_resized(self, shapes: SideShapes) -> Program:
        """Compiles the program for images of another size, with the aligners and learned operations that there are.

        Raises:
            TapError: something would have to be learned anew.
        """
        alignment = alignment_of(self.root, shapes["student"], shapes["teacher"])
        bridges = {tap: self._aligner(tap, alignment, shapes) for tap in alignment.taps}
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
            aligner = self.aligners[tap] if tap in self.aligners else bridges[tap]
            return _aligned(tap, aligner, side, x, mapped, bridges[tap].size)

        return Program(self.terms, alignment.level, align, learned)

    def _aligner(self, tap: str, alignment: Alignment, shapes: SideShapes) -> Aligner:
        return Aligner(tap, shapes["student"][tap], shapes["teacher"][tap], self.seed, tap in alignment.learned)

    def _build_learned(self, alignment: Alignment, shapes: SideShapes, device: torch.device | None) -> Learned:
        """Lists the learned operations by the sides that they touch; missing modules are initialised from the seed.

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
                    name = _module_name(side, places[node, side], inputs)
                    if name not in self.learned:
                        both = [*inputs, infer.other(node.children[0])] if node.operation.bridges else inputs
                        with torch.random.fork_rng(devices=[]):
                            torch.manual_seed(self.seed + places[node, side])
                            self.learned[name] = node.operation.function(*both).to(device)
        return {(node, side): partial(self._run_learned, node, side, place) for (node, side), place in places.items()}

    def _run_learned(self, node: Node, side: Side, place: int, *inputs: Any, **options: Any) -> Tensor:
        tensors = [x.shape for x in inputs if isinstance(x, Tensor)]
        if node.operation is not None and node.operation.foreign:
            inputs = tuple(map(own_copy, inputs))
        result: Tensor = self.learned[_module_name(side, place, tensors)](*inputs, **options)
        return result


def _aligned(tap: str, aligner: nn.Module, side: Side, x: Tensor, mapped: bool, size: Size | None = None) -> Tensor:
    if not isinstance(aligner, Aligner):
        raise TapError(f"the aligner of `{tap}` was replaced by a {type(aligner).__name__}")
    return aligner.student(x, mapped, size) if side == "student" else aligner.teacher(x, size)


def _module_name(side: Side, place: int, inputs: Iterable[Shape]) -> str:
    """The name of a learned operation's module for inputs of these shapes, which begin with the batch."""
    return "_".join([side, str(place), *("x".join(map(str, shape[1:])) for shape in inputs)])
