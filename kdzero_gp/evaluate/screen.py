"""The loss-rejection protocol: cheap examinations of a distiller before any training.

Source: KD-Zero (NeurIPS 2023), section on loss rejection; the stages here are its ideas made testable.
"""

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from kdzero_gp.distiller.calibrate import gradient, norm
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.work import NumbersWritten, numbers_at
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.randomness import own_randomness
from kdzero_gp.taps.read import TapReader
from kdzero_gp.tasks.gaps import cka_gap
from kdzero_gp.tasks.task import Task

Stage = Literal[
    "too_expensive",
    "non_finite_loss",
    "no_gradient",
    "not_smaller_when_equal",
    "no_progress",
    "functional_duplicate",
]

PROBE = 64
"""Images of the probe batch, the first of the training split."""
STEPS = 5
"""Steps of the short optimisation."""
RATES = (0.02, 0.006, 0.002, 0.0006, 0.0002)
"""Its learning rates (Adam, so that the scale of a loss does not matter). A student takes the largest at which its own
loss is never above its start: where a transformer overshoots, no distiller can show what it is worth."""
DIRECTIONS = 4
"""Fixed random directions onto which the fingerprint projects the gradient."""


@dataclass(frozen=True)
class Screening:
    """The result of the examinations.

    Attributes:
        stage: the one that turned the distiller down, or None.
        calibration: one factor per term.
        fingerprint: of the calibrated loss and its gradient; equal for distillers that agree in effect.
    """

    stage: Stage | None
    calibration: tuple[float, ...] = ()
    fingerprint: str | None = None

    def candidate(self, tree: str, state: bytes | None = None) -> Candidate:
        """Makes the candidate of a tree that passed; with a state its student goes on from there."""
        return Candidate(tree, self.calibration, self.fingerprint, state)


class Screener:
    """Examines distillers on one probe batch at the student's initialisation.

    Args:
        task: what they are to be trained on.
        seed: of the distillers' aligners and masks.
        init_seed: of the student's initial weights, the ones that rung 0 starts from.
        calibrate: whether terms are scaled to the gradient norm of the student's own loss.
        max_work: how many times the numbers at all taps of the pair a distiller may write on its way to the loss of an
            image.
    """

    def __init__(self, task: Task, *, seed: int, init_seed: int, calibrate: bool, max_work: float = math.inf) -> None:
        self.task = task
        self.seed = seed
        self.calibrate = calibrate
        self.most_numbers = max_work * numbers_at(task.student_taps, task.teacher_taps)
        count = min(PROBE, len(task.data.train))
        self.images = task.first_images("train", count)
        self.targets = task.targets("train")[:count]
        self.initial = task.student(init_seed).train()
        self.parameters = [p for p in self.initial.parameters() if p.requires_grad]
        self.names = tuple(task.student_taps)
        with own_randomness(task.device), task.reader(self.initial, self.names) as reader:
            self.student = self._read(reader)  # one graph, kept for every candidate
        self.teacher = task.teacher_probe(self.names, count)
        self.own_norm = norm(gradient(task.kind.loss(self.student, self.targets), self.parameters))
        generator = torch.Generator().manual_seed(0)
        size = sum(p.numel() for p in self.parameters)
        self.directions = torch.randn(DIRECTIONS, size, generator=generator).to(task.device)
        self.rate = next((rate for rate in RATES if self._steady(rate)), RATES[-1])

    def __call__(self, tree: Tree) -> Screening:
        """Runs the stages, cheapest first; what it finds depends on the tree and the task alone."""
        with own_randomness(self.task.device):
            return self._examined(tree)

    def _examined(self, tree: Tree) -> Screening:
        distiller = Distiller(tree, seed=self.seed).prepare(self.student, self.teacher)  # its own work is not counted
        with NumbersWritten() as written:
            means = distiller.means(self.student, self.teacher, self.targets)
        if written.count > self.most_numbers * len(self.targets):
            return Screening("too_expensive")
        if not all(bool(torch.isfinite(mean)) for mean in means):
            return Screening("non_finite_loss")
        gradients = [gradient(mean, self.parameters) for mean in means]
        norms = [norm(g) for g in gradients]
        if not all(math.isfinite(length) and length > 0 for length in norms):
            return Screening("no_gradient")
        factors = tuple(self.own_norm / length if self.calibrate else 1.0 for length in norms)
        distiller.set_calibration(factors)
        loss, together = self._weighted(distiller, means, gradients, factors)
        if not (math.isfinite(loss) and 0 < norm(together) < math.inf):
            return Screening("no_gradient", factors)
        fingerprint = self._fingerprint(loss, together)
        # a learned operation begins at random, so equal knowledge need not look equal to it yet
        if not distiller.learned and not self._agreement(distiller, factors) < loss:
            return Screening("not_smaller_when_equal", factors, fingerprint)
        if not self._progress(distiller):
            return Screening("no_progress", factors, fingerprint)
        return Screening(None, factors, fingerprint)

    @staticmethod
    def _weighted(
        distiller: Distiller, means: list[Tensor], gradients: list[Tensor], factors: tuple[float, ...]
    ) -> tuple[float, Tensor]:
        """Gives the calibrated loss and its gradient, both linear in the terms that are known already."""
        scales = [term.value * factor for term, factor in zip(distiller.terms_in_order, factors, strict=True)]
        loss = sum(float(mean.detach()) * scale for mean, scale in zip(means, scales, strict=True))
        together = torch.stack([g.double() * scale for g, scale in zip(gradients, scales, strict=True)]).sum(0)
        return loss, together

    def _fingerprint(self, loss: float, together: Tensor) -> str:
        length = norm(together)
        projections = (self.directions.double() @ together / length).tolist()
        return " ".join([f"{loss:.4e}", f"{length:.4e}", *(f"{p + 0.0:.3f}" for p in projections)])

    def _agreement(self, distiller: Distiller, factors: tuple[float, ...]) -> float:
        """Gives the loss where student and teacher have equal knowledge."""
        twin = Distiller(distiller.tree, calibration=factors, seed=self.seed)
        with torch.no_grad():
            return float(twin(self.teacher, self.teacher, self.targets))

    def _progress(self, distiller: Distiller) -> bool:
        """Tells whether a few steps on the distiller alone lower it and bring the student closer to the teacher."""
        losses: list[float] = []
        gaps: list[list[float]] = []

        def loss_of(knowledge: Knowledge) -> Tensor:
            loss: Tensor = distiller(knowledge, self.teacher, self.targets)
            return loss

        for loss, knowledge in self._descent(self.rate, loss_of, distiller.parameters()):
            losses.append(loss)
            if len(losses) in (1, STEPS + 1):
                gaps.append(self._gaps(knowledge, distiller.taps))
        closer = bool(distiller.learned) or any(after < before for before, after in zip(*gaps, strict=True))
        return math.isfinite(losses[-1]) and losses[-1] < losses[0] and closer

    def _steady(self, rate: float) -> bool:
        """Tells whether the student's own loss stays below its start throughout the short optimisation."""

        def loss_of(knowledge: Knowledge) -> Tensor:
            return self.task.kind.loss(knowledge, self.targets)

        with own_randomness(self.task.device):
            start, *later = (loss for loss, _ in self._descent(rate, loss_of))
        return all(loss < start for loss in later)

    def _descent(
        self, rate: float, loss_of: Callable[[Knowledge], Tensor], further: Iterable[nn.Parameter] = ()
    ) -> Iterator[tuple[float, Knowledge]]:
        """Yields loss and student's knowledge before each step of a short optimisation, and after the last one.

        Args:
            further: parameters that are trained beside the student's.
        """
        student = copy.deepcopy(self.initial)
        optimiser = torch.optim.Adam([*student.parameters(), *further], lr=rate, fused=True)
        with self.task.reader(student, self.names) as reader:
            for step in range(STEPS + 1):
                knowledge = self._read(reader)
                loss = loss_of(knowledge)
                yield float(loss.detach()), knowledge
                if step < STEPS:
                    optimiser.zero_grad(set_to_none=True)
                    loss.backward()
                    optimiser.step()

    def _read(self, reader: TapReader) -> Knowledge:
        """Reads a student's knowledge of the probe batch, with equal dropout at every call."""
        torch.manual_seed(self.seed)
        return reader(self.images)

    def _gaps(self, student: Knowledge, taps: tuple[str, ...]) -> list[float]:
        """Measures the mean CKA gap over the taps the distiller reads, and the divergence of the predictions."""
        with torch.no_grad():
            cka = [float(cka_gap(student[tap], self.teacher[tap])) for tap in taps]
            divergence = self.task.kind.divergence(student, self.teacher)
        return [sum(cka) / len(cka), float(divergence)]
