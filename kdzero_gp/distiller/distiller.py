"""The distiller: a tree compiled to a loss module."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp.distiller.align import Aligner, class_mismatch
from kdzero_gp.distiller.calibrate import calibration_constants
from kdzero_gp.distiller.program import Context, Program, Side, Term, terms_of
from kdzero_gp.distiller.shapes import Shape, ShapeInference, aligned_arguments
from kdzero_gp.errors import ConfigError, TapError
from kdzero_gp.grammar.grammar import SCORES
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import CONSTANTS, RANK, Logits
from kdzero_gp.knowledge import Knowledge, unhalved
from kdzero_gp.torch_state import same_torch

SIDES: tuple[Side, Side] = ("student", "teacher")
Shapes = tuple[tuple[tuple[int, ...], ...], ...]
"""Of the taps of the student and of the teacher, without N."""


class Distiller(nn.Module):
    """A distillation loss, `loss = distiller(student, teacher, targets)`.

    The canonical form of the tree is what is computed: shared subtrees once, teacher branches without gradient. Where
    the shapes of the two sides differ and the path to the distance does not erase the difference, a learned `Aligner`
    appears on the tap at the first call (or at `prepare`, which a training script calls before it builds its
    optimiser). Half-precision taps are computed in float32.

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
        super().__init__()
        self.tree = parse(distiller) if isinstance(distiller, str) else distiller
        self.terms_in_order: tuple[Term, ...] = terms_of(self.tree.canonical().root)
        self.seed = seed
        self.calls = 0
        self.aligners = nn.ModuleDict()
        self.learned = nn.ModuleDict()
        self.register_buffer("calibration", torch.ones(len(self.terms_in_order), dtype=torch.float64))
        self._programs: dict[Shapes, Program] = {}
        self._shapes: Shapes = ()
        self._taps = self._read_taps()
        self._scales: list[float] | None = None
        self._last: list[Tensor] = []
        self._generators: dict[tuple[int, torch.device], torch.Generator] = {}
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call]
        if calibration is not None:
            self.set_calibration(calibration)

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of the taps it reads; sample weightings read the class scores."""
        return tuple(self._taps)

    def set_calibration(self, calibration: Sequence[float]) -> None:
        """Sets the factor of every term, in the order of the canonical form's terms."""
        if len(calibration) != len(self.terms_in_order):
            raise ConfigError(
                f"calibration has {len(calibration)} factors, but the distiller has {len(self.terms_in_order)} terms; "
                "give one factor for each"
            )
        self.calibration.copy_(torch.tensor(list(calibration), dtype=torch.float64))
        self._scales = None

    def prepare(self, student: Knowledge, teacher: Knowledge) -> "Distiller":
        """Builds the aligners for the shapes of these two, on their device. Called by the first forward if not before.

        Raises:
            TapError: a tap is missing, or its two shapes cannot be bridged.
        """
        if not self._programs:
            for name, type_ in self._taps.items():
                for knowledge in (student, teacher):
                    _check_rank(name, type_, knowledge[name])  # raises TapError with the taps there are
                if type_ is Logits and student[name].shape != teacher[name].shape:
                    raise class_mismatch(tuple(student[name].shape), tuple(teacher[name].shape))
            self._shapes = self._shapes_of(student, teacher)
            self._programs[self._shapes] = self._plan(student, teacher, first=True)
        return self

    def _plan(self, student: Knowledge, teacher: Knowledge, *, first: bool) -> Program:
        """The program for these shapes; only the first makes anything that is learned."""
        shapes = {"student": student.shapes(), "teacher": teacher.shapes()}
        root = self.tree.canonical().root
        aligned, bridged = aligned_arguments(root, shapes["student"], shapes["teacher"])
        device = next(iter(student.values())).device
        sizes: dict[str, tuple[int, int] | None] = {}
        for tap in bridged:
            aligner = Aligner(tap, shapes["student"][tap], shapes["teacher"][tap], self.seed)
            sizes[tap] = aligner.size
            if tap not in self.aligners:
                if not first and aligner.weight is not None:
                    raise self._unprepared(student, teacher)
                self.aligners[tap] = aligner.to(device)
        before = set(self.learned)
        learned = self._build_learned(root, aligned, shapes, device)
        if not first and set(self.learned) != before:
            for name in set(self.learned) - before:
                del self.learned[name]
            raise self._unprepared(student, teacher)
        return Program(self.terms_in_order, lambda node: node in aligned, partial(self._align, sizes), learned)

    def _shapes_of(self, student: Knowledge, teacher: Knowledge) -> Shapes:
        return tuple(tuple(tuple(k[tap].shape[1:]) for tap in self.taps) for k in (student, teacher))

    def forward(self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None) -> Tensor:
        """The loss of one batch, a scalar.

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
        """The batch mean of every term's distance, before weight and calibration."""
        return self._means(student, teacher, targets)[0]

    def trace(
        self, student: Knowledge, teacher: Knowledge, targets: Tensor | None = None
    ) -> tuple[dict[Node, Tensor], list[Tensor]]:
        """The student's value at every node with its graph, and the terms' `means`, for looking into a distiller."""
        means, context, program = self._means(student, teacher, targets)
        return program.values(context), means

    def _means(
        self, student: Knowledge, teacher: Knowledge, targets: Tensor | None
    ) -> tuple[list[Tensor], Context, Program]:
        self.prepare(student, teacher)
        program = self._prepared_program(student, teacher)
        self.calls += 1
        context = Context(student, teacher, targets, self._generator, [])
        device = next(iter(student.values())).device.type
        with torch.autocast(device, enabled=False), same_torch(self._operations_text):
            return [distance.mean() for distance in program(context)], context, program

    def _operations_text(self) -> str:
        """Which operations it computes, with their places, for a message."""
        nodes = [node for term in self.terms_in_order for node in term.distance.walk()]
        found = {node.operation.name: node.operation.source for node in nodes if node.operation is not None}
        return f"One of the operations {', '.join(f'`{name}` ({source})' for name, source in found.items())}"

    def terms(self) -> dict[str, Tensor]:
        """Every weighted term of the last call by its text, without gradient, for logging."""
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

    def __deepcopy__(self, memo: dict[int, Any]) -> "Distiller":
        twin = Distiller(self.tree, calibration=self.calibration.tolist(), seed=self.seed)
        twin.calls = self.calls
        if self._programs:
            twin.prepare(*self._examples())
            twin.load_state_dict(self.state_dict())
        return twin

    def _examples(self) -> list[Knowledge]:
        """Empty taps of the shapes that it was prepared for, of the student and of the teacher."""
        device = next((p.device for p in self.parameters()), torch.device("cpu"))
        return [
            Knowledge(**{tap: torch.empty(4, *shape, device=device) for tap, shape in zip(self.taps, s, strict=True)})
            for s in self._shapes
        ]

    def __getstate__(self) -> dict[str, Any]:
        made_anew = {"_programs": {}, "_generators": {}, "_last": [], "terms_in_order": ()}
        return self.__dict__ | made_anew  # programs are closures; the terms hold functions

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.terms_in_order = terms_of(self.tree.canonical().root)
        if self._shapes:
            student, teacher = self._examples()
            self._programs[self._shapes] = self._plan(student, teacher, first=True)

    def extra_repr(self) -> str:
        """The formula."""
        return str(self.tree)

    def _repr_svg_(self) -> str:
        """The drawing with calibration and aligners, for notebooks."""
        from kdzero_gp.drawing.render import svg  # only here: the distiller stands below the gallery

        return svg(self.tree.canonical(), aligned=tuple(self.aligners), calibration=self.calibration.tolist())

    def _read_taps(self) -> dict[str, type]:
        """The taps with their types, in the order of their appearance, the scores for sample weightings at the end."""
        nodes = [node for term in self.terms_in_order for node in term.distance.walk()]
        taps = {node.symbol: node.type for node in nodes if node.kind == "tap"}
        if any(node.kind == "weight" for node in nodes):
            taps.setdefault(SCORES, Logits)
        return taps

    def _prepared_program(self, student: Knowledge, teacher: Knowledge) -> Program:
        """The program for these shapes: of images of another size, with the same aligners."""
        shapes = self._shapes_of(student, teacher)
        if shapes not in self._programs:
            for prepared, found in zip(self._shapes, shapes, strict=True):
                for one, two in zip(prepared, found, strict=True):
                    of_a_map = len(one) == len(two) == 3
                    if one != two and not (of_a_map and one[0] == two[0]):
                        raise self._unprepared(student, teacher)
            self._programs[shapes] = self._plan(student, teacher, first=False)
        return self._programs[shapes]

    def _unprepared(self, student: Knowledge, teacher: Knowledge) -> TapError:
        for knowledge, shapes, side in zip((student, teacher), self._shapes, SIDES, strict=True):
            for tap, shape in zip(self.taps, shapes, strict=True):
                if tuple(knowledge[tap].shape[1:]) != shape:
                    return TapError(
                        f"the {side}'s `{tap}` has shape {tuple(knowledge[tap].shape)}, but this distiller was "
                        f"prepared for (N, {', '.join(map(str, shape))}); make a new Distiller for another pair"
                    )
        raise AssertionError("a distiller is asked for its own shapes")

    def _align(self, sizes: Mapping[str, tuple[int, int] | None], tap: str, side: Side, x: Tensor) -> Tensor:
        if tap not in sizes:
            return x
        aligner = self.aligners[tap]
        if not isinstance(aligner, Aligner):
            raise TapError(f"the aligner of `{tap}` was replaced by a {type(aligner).__name__}")
        return aligner.student(x, sizes[tap]) if side == "student" else aligner.teacher(x, sizes[tap])

    def _build_learned(
        self, root: Node, aligned: Collection[Node], shapes: Mapping[str, Mapping[str, Shape]], device: torch.device
    ) -> dict[tuple[Node, Side], Callable[..., Tensor]]:
        """The learned operations by the sides that they touch, their modules initialised from the seed.

        An operation has one module for each shape of its inputs: the same subtree may stand below a distance that
        aligns its taps and below another that does not.
        """
        arguments = list(dict.fromkeys(node.children[0] for node in root.walk() if node.kind == "distance"))
        places: dict[tuple[Node, Side], int] = {}
        for node in (node for argument in arguments for node in argument.walk()):
            for side in SIDES:
                if node.operation is not None and node.operation.learned and node.operation.side in ("both", side):
                    places.setdefault((node, side), len(places))
        if not places:
            return {}
        common = {tap: _common(shapes["student"][tap], shapes["teacher"][tap]) for tap in self.taps}
        for argument in arguments:
            for side in SIDES:
                infer = ShapeInference(side, common if argument in aligned else shapes[side])
                for node in argument.walk():
                    if node.operation is None or (node, side) not in places:
                        continue
                    inputs: list[Shape] = [infer(child) for child in node.children if child.type not in CONSTANTS]
                    name = _learned_name(side, places[node, side], inputs)
                    if name not in self.learned:
                        with torch.random.fork_rng(devices=[]):
                            torch.manual_seed(self.seed + places[node, side])
                            self.learned[name] = node.operation.function(*inputs).to(device)
        return {(node, side): partial(self._learned_step, side, place) for (node, side), place in places.items()}

    def _learned_step(self, side: Side, place: int, *inputs: Any, **options: Any) -> Tensor:
        tensors = [x.shape for x in inputs if isinstance(x, Tensor)]
        result: Tensor = self.learned[_learned_name(side, place, tensors)](*inputs, **options)
        return result

    def _generator(self, draw: int, like: Tensor) -> torch.Generator:
        """A generator whose stream is fixed by seed, call and node, so student and teacher share their masks."""
        key = (draw, like.device)
        generator = self._generators.get(key)
        if generator is None:
            generator = self._generators[key] = torch.Generator(like.device)
        return generator.manual_seed((self.seed * 1_000_003 + self.calls * 8_191 + draw) % 2**63)


def _forget(module: "Distiller", incompatible_keys: object) -> None:
    module._scales = None


def _check_rank(name: str, type_: type, tensor: Tensor) -> None:
    if tensor.dim() != RANK[type_]:
        wanted = {4: "(N, C, H, W)", 3: "(N, R, D)", 2: "(N, D)"}[RANK[type_]]
        raise TapError(f"tap `{name}` has shape {tuple(tensor.shape)}, but must be {wanted}")


def _learned_name(side: Side, place: int, inputs: Iterable[Shape]) -> str:
    """The name of a learned operation's module for inputs of these shapes, which begin with the batch."""
    return "_".join([side, str(place), *("x".join(map(str, shape[1:])) for shape in inputs)])


def _common(student: Shape, teacher: Shape) -> Shape:
    """The shape in which an aligned tap's two sides meet."""
    return (*teacher[:2], *(min(s, t) for s, t in zip(student[2:], teacher[2:], strict=True)))
