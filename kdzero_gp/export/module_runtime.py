"""What every stand-alone distiller shares. `standalone` copies the classes and functions below word for word into
best.py, with what they import of the distiller and `TapError`, so nothing here may need more than those and torch."""

import warnings
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.align import Aligner
from kdzero_gp.distiller.labels import filled_labels, label_fault
from kdzero_gp.distiller.pair_state import PairState
from kdzero_gp.errors import TapError


class TwoSides(PairState):
    """Student and teacher taps made comparable: aligners where the shapes of a distance's two arguments differ.

    Args:
        student_shapes, teacher_shapes: shape of every tap without the batch, for example
            `{"stage1": (16, 8, 8), "logits": (10,)}`; without them the first call makes the aligners, and an
            optimiser that should train them must be built after it.
        seed: source of the aligners' initial weights and of random masks.
    """

    TAPS: tuple[str, ...] = ()
    BRANCHES: Mapping[str, tuple[tuple[str, ...], ...]] = {}  # by branch, the taps below each of its results
    RAGGED: Mapping[str, tuple[bool, ...]] = {}  # by branch, where a distance lets dimension 1 of its sides differ
    TEACHER_LEARNS = False
    DRAWS = False

    def __init__(
        self,
        student_shapes: Mapping[str, Sequence[int]] | None = None,
        teacher_shapes: Mapping[str, Sequence[int]] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.calls = 0
        self.draws = self.DRAWS
        self.aligners = nn.ModuleDict()
        self.learned = nn.ModuleDict()
        self.measuring = True
        self.levels: dict[str, tuple[str, ...]] = {}  # by branch, how each of its results reads its taps
        self.others: dict[int, tuple[int, ...]] = {}  # by learned operation that bridges, the other side's shape
        self.shapes: tuple[dict[str, tuple[int, ...]], ...] = ()
        if student_shapes is not None and teacher_shapes is not None:
            self.prepare(student_shapes, teacher_shapes)

    def prepare(
        self,
        student_shapes: Mapping[str, Sequence[int]],
        teacher_shapes: Mapping[str, Sequence[int]],
        device: torch.device | str = "cpu",
    ) -> None:
        """Makes the aligners for taps of these shapes, given without the batch."""
        for side, given in (("student", student_shapes), ("teacher", teacher_shapes)):
            missing = [tap for tap in self.TAPS if tap not in given]
            if missing:
                raise TapError(f"the {side} has no tap `{missing[0]}`; it has {', '.join(given) or 'none'}")
        self.shapes = tuple({tap: tuple(s[tap]) for tap in self.TAPS} for s in (student_shapes, teacher_shapes))
        student, teacher = ({tap: torch.zeros(4, *s[tap]) for tap in self.TAPS} for s in self.shapes)
        with torch.no_grad():
            pooled = [self.in_one_resolution(taps, student, teacher) for taps in (student, teacher)]
            for branch in self.BRANCHES:
                ragged = self.RAGGED.get(branch, ())
                plain = self.comparable(branch, student, teacher, ragged)
                met = self.comparable(branch, pooled[0], pooled[1], ragged) if not all(plain) else plain
                self.levels[branch] = tuple(
                    "plain" if as_it_is else "pooled" if smaller else "mapped"
                    for as_it_is, smaller in zip(plain, met, strict=True)
                )
            aligned: dict[str, bool] = {}
            for branch, results in self.BRANCHES.items():
                for below, level in zip(results, self.levels[branch], strict=True):
                    for tap in below:
                        own, other = student[tap].shape, teacher[tap].shape
                        if own != other and (level == "mapped" or (level == "pooled" and own[2:] != other[2:])):
                            aligned[tap] = aligned.get(tap, False) or level == "mapped"
            for tap, learned in sorted(aligned.items()):
                shapes = tuple(student[tap].shape), tuple(teacher[tap].shape)
                self.aligners[tap] = Aligner(tap, shapes[0], shapes[1], self.seed, learned)
            self.measuring = False
            student, teacher = self.with_aligned(student, "student"), self.with_aligned(teacher, "teacher")
            for branch in self.BRANCHES:  # makes the learned operations
                self.both_sides(branch, student, teacher)
        self.to(device)

    def comparable(
        self, branch: str, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor], ragged: Sequence[bool]
    ) -> tuple[bool, ...]:
        """For every result of a branch, whether a distance takes what the two sides give."""
        function = getattr(self, branch)
        t = [tuple(x.shape) for x in function(teacher, "teacher")]
        s = [tuple(x.shape) for x in function(student, "student")]
        free = ragged or [False] * len(s)
        return tuple(
            len(a) == len(b) and (a[0], *a[2:]) == (b[0], *b[2:]) and (loose or a == b)
            for a, b, loose in zip(s, t, free, strict=True)
        )

    def in_one_resolution(
        self, taps: Mapping[str, Tensor], student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Zeros in the shapes of one side's taps, maps in the smaller resolution of the two sides."""
        result = dict(taps)
        for tap, x in taps.items():
            sizes = student[tap].shape[2:], teacher[tap].shape[2:]
            if x.dim() == 4 and len(sizes[0]) == len(sizes[1]):
                size = [min(a, b) for a, b in zip(*sizes, strict=True)]
                result[tap] = x.new_zeros(*x.shape[:2], *size)
        return result

    def pair_shapes(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """By side and tap, the shape without the batch that it was made for; empty before that."""
        return {side: dict(shapes) for side, shapes in zip(("student", "teacher"), self.shapes, strict=False)}

    def make_for(self, shapes: Mapping[str, Mapping[str, tuple[int, ...]]]) -> None:
        """Makes the aligners for taps of these shapes."""
        self.prepare(shapes["student"], shapes["teacher"])

    def begin(
        self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Gives the taps of one call, half precision as float32, the teacher's without gradient."""
        if not self.shapes:
            first = next(iter(student.values()))
            student_shapes, teacher_shapes = ({n: x.shape[1:] for n, x in k.items()} for k in (student, teacher))
            self.prepare(student_shapes, teacher_shapes, first.device)
            if torch.is_grad_enabled() and any(True for _ in self.parameters()):
                warnings.warn(
                    "aligners were made in the first call: an optimiser built before it does not train them; make "
                    "this loss with the shapes of both networks' taps",
                    stacklevel=5,
                )
        for side, taps, shapes in zip(("student", "teacher"), (student, teacher), self.shapes, strict=True):
            for tap in self.TAPS:
                if tap not in taps:
                    raise TapError(f"the {side} has no tap `{tap}`; it has {', '.join(taps) or 'none'}")
                if tuple(taps[tap].shape[1:]) != shapes[tap]:
                    raise TapError(
                        f"the {side}'s `{tap}` has shape {tuple(taps[tap].shape)}, but this distiller was made for "
                        f"(N, {', '.join(map(str, shapes[tap]))}); make a new one for another pair"
                    )
        self.calls += 1
        half = (torch.float16, torch.bfloat16)
        student = {tap: student[tap].float() if student[tap].dtype in half else student[tap] for tap in self.TAPS}
        teacher = {tap: teacher[tap].float() if teacher[tap].dtype in half else teacher[tap] for tap in self.TAPS}
        teacher = {tap: x.detach() for tap, x in teacher.items()}
        return self.with_aligned(student, "student"), self.with_aligned(teacher, "teacher")

    def both_sides(
        self, branch: str, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Gives a branch of both sides; results whose shapes would differ are computed from aligned taps."""
        function, levels = getattr(self, branch), self.levels[branch]
        given: dict[str, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]] = {}
        for level in dict.fromkeys(levels):
            s, t = ({tap: taps.get(f"{tap} {level}", taps[tap]) for tap in self.TAPS} for taps in (student, teacher))
            with torch.set_grad_enabled(torch.is_grad_enabled() and self.TEACHER_LEARNS):
                taught = function(t, "teacher")  # first, since an operation that bridges is made for what is here
            given[level] = function(s, "student"), taught
        ours, theirs = (tuple(given[level][side][i] for i, level in enumerate(levels)) for side in (0, 1))
        return ours, theirs

    def with_aligned(self, taps: Mapping[str, Tensor], side: str) -> dict[str, Tensor]:
        """Gives one side's taps, and as "NAME pooled" and "NAME mapped" what the aligners make of them."""
        result = dict(taps)
        for tap, aligner in self.aligners.items():
            if isinstance(aligner, Aligner):
                used = {level for levels in self.levels.values() for level in levels}
                for level in ("pooled", "mapped"):
                    if level in used:
                        x = taps[tap]
                        met = aligner.student(x, level == "mapped") if side == "student" else aligner.teacher(x)
                        result[f"{tap} {level}"] = met
        return result

    def generator(self, draw: int, like: Tensor) -> torch.Generator:
        """Gives a stream of random numbers fixed by seed, call and place in the formula: the same for both sides."""
        seed = (self.seed * 1_000_003 + self.calls * 8_191 + draw) % 2**63
        return torch.Generator(like.device).manual_seed(seed)

    def module(self, side: str, number: int, factory: Callable[..., nn.Module], *inputs: Tensor) -> nn.Module:
        """Gives the trained module of a learned operation for inputs of these shapes, made when it first meets them."""
        name = "_".join([side, str(number), *("x".join(map(str, x.shape[1:])) for x in inputs)])
        if name in self.learned:
            return self.learned[name]
        shapes = [tuple(x.shape) for x in inputs]
        if number in self.others:
            shapes.append(self.others[number])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + number)
            module = factory(*shapes)
        if not self.measuring:
            self.learned[name] = module
        return module

    def met(self, number: int, x: Tensor) -> Tensor:
        """Gives the input of a learned operation on the side that it leaves as it is;
        its shape is what it bridges to.
        """
        self.others[number] = tuple(x.shape)
        return x

    def class_labels(self, targets: Tensor | None, names: str, student: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Gives the class of every sample, 0 where it is not known, and whether it is known."""
        fault = label_fault(targets, names, student.get("logits"))
        if fault or targets is None:
            raise ValueError(fault)
        return filled_labels(targets)
