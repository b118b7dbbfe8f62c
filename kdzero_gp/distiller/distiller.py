"""The distiller: a tree compiled to a loss module."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from kdzero_gp.distiller.calibrate import calibration_constants
from kdzero_gp.distiller.pair_program import PROBED, SIDES, PairProgram
from kdzero_gp.distiller.program import Context, Program, terms_of
from kdzero_gp.distiller.shapes import Shape
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.knowledge import Knowledge, unhalved
from kdzero_gp.torch_state import same_torch
from kdzero_gp.untrusted import only_exceptions


class Distiller(PairProgram):
    """A distillation loss, `loss = distiller(student, teacher, targets)`.

    The canonical form of the tree is what is computed: shared subtrees once, teacher branches without gradient. Where
    the shapes of the two sides differ and the path to the distance does not erase the difference, a learned `Aligner`
    appears on the tap at the first call (or at `prepare`, which a training script calls before it builds its
    optimiser). Half-precision taps are computed in float32. It can be copied, pickled and saved; a fresh one can load
    its state, which holds how far its random masks have come.

    Args:
        distiller: the text form or a tree.
        calibration: one factor per term, by default 1: the formula as written.
        seed: source of the aligners' initial weights and of random masks: distillers of one seed have equal aligners on
            equal taps, whatever else they are made of.

    Raises:
        ParseError: the text cannot be read.
    """

    calibration: Tensor

    def __init__(self, distiller: str | Tree, *, calibration: Sequence[float] | None = None, seed: int = 0) -> None:
        tree = parse(distiller) if isinstance(distiller, str) else distiller
        super().__init__(tree, terms_of(tree.canonical().root), seed)
        self.calls = 0
        nodes = (node.operation for term in self.terms_in_order for node in term.distance.walk())
        self.draws = any(operation is not None and operation.random for operation in nodes)
        self.register_buffer("calibration", torch.ones(len(self.terms_in_order), dtype=torch.float64))
        self._scales: list[float] | None = None
        self._last: list[Tensor] = []
        self._generators: dict[tuple[int, torch.device], torch.Generator] = {}
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]
        if calibration is not None:
            self.set_calibration(calibration)

    def set_calibration(self, calibration: Sequence[float]) -> None:
        """Sets the factor of every term, in the order of the canonical form's terms."""
        if len(calibration) != len(self.terms_in_order):
            raise ConfigError(
                f"calibration has {len(calibration)} factors, but the distiller has {len(self.terms_in_order)} terms; "
                "give one factor for each"
            )
        self.calibration.copy_(torch.tensor(list(calibration), dtype=torch.float64))
        self._scales = None

    def forward(self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None) -> Tensor:
        """Gives the loss of one batch, a scalar.

        Args:
            student: taps with their graph.
            teacher: taps, read without gradient.
            targets: (N,) int64 class labels, or (N, K) float of 0 and 1 where an image may have several classes; only
                operations that depend on labels need them.
        """
        means = self.means(student, teacher, targets)
        if self._scales is None:
            factors = self.calibration.tolist()
            self._scales = [t.value * f for t, f in zip(self.terms_in_order, factors, strict=True)]
        weighted = [mean * scale for mean, scale in zip(means, self._scales, strict=True)]
        self._last = [term.detach() for term in weighted]
        total = weighted[0]
        for term in weighted[1:]:
            total = total + term
        return total

    def means(self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None) -> list[Tensor]:
        """Gives the batch mean of every term's distance, before weight and calibration."""
        return self._means(student, teacher, targets)[0]

    def trace(
        self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None
    ) -> tuple[dict[Node, Tensor], list[Tensor]]:
        """Gives the student's value at every node with its graph, and the terms' `means`, for looking into a
        distiller.
        """
        means, context, program = self._means(student, teacher, targets)
        return program.values(context), means

    def _means(
        self, student: Knowledge, teacher: Knowledge, targets: Tensor | None
    ) -> tuple[list[Tensor], Context, Program]:
        if self._program is None:
            self.prepare(student, teacher)
            self._warn_of_late_parameters()
        self._place(student)
        program = self._prepared_program(student, teacher)
        self.calls += 1
        context = Context(student, teacher, targets, self._generator, [])
        device = next(iter(student.values())).device.type
        who = self._operations_text
        with torch.autocast(device, enabled=False), only_exceptions(who), same_torch(who):
            return [distance.mean() for distance in program(context)], context, program

    def _operations_text(self) -> str:
        """Which operations it computes, with their places, for a message."""
        nodes = [node for term in self.terms_in_order for node in term.distance.walk()]
        found = {node.operation.name: node.operation.source for node in nodes if node.operation is not None}
        return f"One of the operations {', '.join(f'`{name}` ({source})' for name, source in found.items())}"

    def terms(self) -> dict[str, Tensor]:
        """Gives every weighted term of the last call by its text, without gradient, for logging."""
        return {term.text: value for term, value in zip(self.terms_in_order, self._last, strict=False)}

    def calibrate(
        self,
        student: Knowledge,
        teacher: Knowledge,
        targets: Tensor,
        parameters: Iterable[Tensor],
        *,
        task_loss: Tensor | None = None,
    ) -> tuple[float, ...]:
        """Scales every term so that its gradient norm equals the task loss's; returns the factors.

        Args:
            student: taps of a probe batch with their graph to the parameters.
            teacher, targets: the same batch.
            parameters: the student's.
            task_loss: the student's own loss on the batch, a scalar with its graph; by default the cross-entropy of the
                class scores, which are then among the student's taps.

        Raises:
            CalibrationError: a term's gradient is zero or not finite.
        """
        means = self.means(student, teacher, targets)
        if task_loss is None:
            task_loss = functional.cross_entropy(unhalved(student[SCORES]), targets)
        factors = calibration_constants(means, [t.text for t in self.terms_in_order], task_loss, parameters)
        self.set_calibration(factors)
        return factors

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Distiller":
        calibration = self.calibration
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.calibration = calibration  # read as Python floats: it keeps its precision and its place
        return self

    def __getstate__(self) -> dict[str, Any]:
        rebuilt: dict[str, Any] = {
            "_program": None,
            "_resized": {},
            "terms_in_order": (),
            "_scales": None,
            "_generators": {},
        }
        return {**self.__dict__, **rebuilt, "_prepared": self._program is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        prepared = state.pop("_prepared")
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self.terms_in_order = terms_of(self.tree.canonical().root)
        if prepared:
            shapes = zip(SIDES, self._shapes, strict=True)
            taps: dict[str, dict[str, Shape]] = {
                side: {tap: (PROBED, *size) for tap, size in zip(self.taps, sizes, strict=True)}
                for side, sizes in shapes
            }
            self._compile(taps, None)

    def close(self) -> None:
        """Lets go of the last batch's terms; parameters and masks stay, and it can be called again."""
        self._last = []
        self._generators.clear()

    def __enter__(self) -> "Distiller":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def extra_repr(self) -> str:
        """Gives the formula."""
        return str(self.tree)

    def _repr_svg_(self) -> str:
        """Gives the drawing with calibration and aligners, for notebooks."""
        from kdzero_gp.drawing.render import svg  # only here: the distiller stands below the gallery

        return svg(self.tree.canonical(), aligned=tuple(self.aligners), calibration=self.calibration.tolist())

    def _warn_of_late_parameters(self) -> None:
        if torch.is_grad_enabled() and (late := sum(p.numel() for p in self.parameters())):
            names = ", ".join([*self.aligners, *self.learned])
            warnings.warn(
                f"{late} parameters of the distiller ({names}) were made in its first call: an optimiser built "
                "before it does not train them; call distiller.prepare(student, teacher) before you build it",
                stacklevel=7,  # the caller of forward, beyond torch's own two frames
            )

    def _generator(self, draw: int, like: Tensor) -> torch.Generator:
        """Gives a generator whose stream is fixed by seed, call and node, so student and teacher share their masks."""
        key = (draw, like.device)
        generator = self._generators.get(key)
        if generator is None:
            generator = self._generators[key] = torch.Generator(like.device)
        return generator.manual_seed((self.seed * 1_000_003 + self.calls * 8_191 + draw) % 2**63)


def _forget(module: "Distiller", incompatible_keys: object) -> None:
    module._scales = None
