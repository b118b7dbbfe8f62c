"""What every stand-alone distiller shares. `standalone` copies the classes and functions below word for word into
best.py, with `Aligner` and `TapError`, so nothing here may need more than those two and torch."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.align import Aligner
from kdzero_gp.errors import TapError


class TwoSides(nn.Module):
    """Student and teacher taps made comparable: aligners where the shapes of a distance's two arguments differ.

    Args:
        student_shapes, teacher_shapes: shape of every tap without the batch, for example
            `{"stage1": (16, 8, 8), "logits": (10,)}`; without them the first call makes the aligners, and an
            optimiser that should train them must be built after it.
        seed: source of the aligners' initial weights and of random masks.
    """

    TAPS: tuple[str, ...] = ()
    BRANCHES: Mapping[str, tuple[tuple[str, ...], ...]] = {}  # by branch, the taps below each of its results
    TEACHER_LEARNS = False

    def __init__(
        self,
        student_shapes: Mapping[str, Sequence[int]] | None = None,
        teacher_shapes: Mapping[str, Sequence[int]] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.calls = 0
        self.aligners = nn.ModuleDict()
        self.learned = nn.ModuleDict()
        self.measuring = True
        self.bridged: dict[str, tuple[bool, ...]] = {}
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
            for branch in self.BRANCHES:
                function = getattr(self, branch)
                pairs = zip(function(student, "student"), function(teacher, "teacher"), strict=True)
                self.bridged[branch] = tuple(s.shape != t.shape for s, t in pairs)
            taps = {
                tap
                for branch, results in self.BRANCHES.items()
                for below, bridge in zip(results, self.bridged[branch], strict=True)
                if bridge
                for tap in below
            }
            for tap in sorted(taps):
                shapes = tuple(student[tap].shape), tuple(teacher[tap].shape)
                if shapes[0] != shapes[1]:
                    self.aligners[tap] = Aligner(tap, shapes[0], shapes[1], self.seed)
            self.measuring = False
            student, teacher = self.with_aligned(student, "student"), self.with_aligned(teacher, "teacher")
            for branch in self.BRANCHES:  # makes the learned operations
                self.both_sides(branch, student, teacher)
        self.to(device)

    def begin(
        self, student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The taps of one call, half precision as float32, the teacher's without gradient."""
        if not self.shapes:
            first = next(iter(student.values()))
            student_shapes, teacher_shapes = ({n: x.shape[1:] for n, x in k.items()} for k in (student, teacher))
            self.prepare(student_shapes, teacher_shapes, first.device)
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
        """A branch of both sides; results whose shapes would differ are computed from aligned taps."""
        function, bridged = getattr(self, branch), self.bridged[branch]
        plain, met = [], []

        def aligned(taps: Mapping[str, Tensor]) -> dict[str, Tensor]:
            return {tap: taps.get(f"{tap} aligned", taps[tap]) for tap in self.TAPS}

        if not all(bridged):
            plain.append(function(student, "student"))
        if any(bridged):
            met.append(function(aligned(student), "student"))
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.TEACHER_LEARNS):
            if not all(bridged):
                plain.append(function(teacher, "teacher"))
            if any(bridged):
                met.append(function(aligned(teacher), "teacher"))
        s, t = (tuple((met if bridge else plain)[side][i] for i, bridge in enumerate(bridged)) for side in (0, 1))
        return s, t

    def with_aligned(self, taps: Mapping[str, Tensor], side: str) -> dict[str, Tensor]:
        """One side's taps, and as "NAME aligned" those that have a common shape to be brought to."""
        result = dict(taps)
        for tap, aligner in self.aligners.items():
            if isinstance(aligner, Aligner):
                align = aligner.student if side == "student" else aligner.teacher
                result[f"{tap} aligned"] = align(taps[tap])
        return result

    def generator(self, draw: int, like: Tensor) -> torch.Generator:
        """A stream of random numbers fixed by seed, call and place in the formula: the same for both sides."""
        seed = (self.seed * 1_000_003 + self.calls * 8_191 + draw) % 2**63
        return torch.Generator(like.device).manual_seed(seed)

    def module(self, side: str, number: int, factory: Callable[..., nn.Module], *inputs: Tensor) -> nn.Module:
        """The trained module of a learned operation for inputs of these shapes, made when it first meets them."""
        name = "_".join([side, str(number), *("x".join(map(str, x.shape[1:])) for x in inputs)])
        if name in self.learned:
            return self.learned[name]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + number)
            module = factory(*(tuple(x.shape) for x in inputs))
        if not self.measuring:
            self.learned[name] = module
        return module


def mean_one(weights: Tensor) -> Tensor:
    """Sample weights (N,) rescaled to mean 1; all 1 if they are all 0."""
    mean = weights.mean()
    return torch.where(mean > 0, weights / mean.clamp_min(torch.finfo(mean.dtype).tiny), 1.0)
