"""Measures how many students train fastest in one program, on the task itself with random distillers."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import torch

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.loops.fused.stack import FuseError
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.fused.ways import WAYS, Way, refusal
from kdzero_gp.loops.single import DivergedError, Training
from kdzero_gp.tasks.task import Task

PROBE = 64
"""Images on which a distiller must be finite."""
MARGIN = 1.05
"""How much faster than one by one a program must be to be chosen; below that, noise decides."""
ROUNDS = 3
"""Timed steps of each contestant."""
PATIENCE = 0.9
"""A program of twice as many students is tried if the last one saved at least this share of what half of it did."""
FIRST_LOSS = 0.2
"""Two students may cost that share more than one by one before a way is given up."""


class FuseChoice(NamedTuple):
    """The choice that `choose_fuse` made, with its measurements.

    Attributes:
        students: in one program; 1 means one by one.
        reason: the measurements, or what stood against them.
        way: how they are stacked; None where they are not.
    """

    students: int
    reason: str
    way: Way | None = None

    @property
    def text(self) -> str:
        """The choice as `--fuse` takes it."""
        return f"{self.students}:{self.way}" if self.way else "1"


@dataclass
class _Contest:
    """The measurements so far, in seconds for one step of one student.

    What a program saves is compared, not how many times faster it is: distillers cost the same in and out of it, and
    the few of a small program may happen to be cheap.
    """

    saved: dict[tuple[Way, int], float] = field(default_factory=dict)
    ended: dict[Way, str] = field(default_factory=dict)
    alone: float = 0.0

    def enter(self, way: Way, count: int, alone: float, together: float) -> bool:
        """Keeps a measurement; tells whether twice as many students are worth a try."""
        self.alone = alone
        self.saved[way, count] = saved = alone - together
        if count == 2:
            return saved > -FIRST_LOSS * alone
        return saved > max(0.0, PATIENCE * self.saved[way, count // 2])

    def gain(self, entrant: tuple[Way, int]) -> float:
        """The speed relative to one by one, for students with average distillers."""
        return self.alone / max(self.alone - self.saved[entrant], 0.01 * self.alone)

    def choice(self) -> FuseChoice:
        """The fastest so far, if its gain is large enough."""
        texts = [f"{count} {way} {self.gain((way, count)):.2f}" for way, count in self.saved]
        texts += [f"{way}: {why}" for way, why in self.ended.items()]
        reason = f"one step alone {1e3 * self.alone:.3g} ms, together times as fast: {', '.join(texts)}"
        best = max(self.saved, key=self.gain, default=None)
        if best is None or self.gain(best) < MARGIN:
            return FuseChoice(1, f"{reason}; below {MARGIN} is not worth it")
        way, count = best
        return FuseChoice(count, reason, way)


def choose_fuse(task: Task, *, most: int = 16, seed: int = 0) -> FuseChoice:
    """Finds the number of students, and the way to stack them, that train fastest.

    Programs of 2, 4, 8 … students take turns with the same students one by one, for as long as more are faster. The
    answer depends on the machine and what else it does: a search that must repeat bit by bit keeps it.

    Args:
        most: no more than this many.
        seed: of the random distillers.
    """
    contest = _Contest()
    ways = [way for way in WAYS if not refusal(task, way)]
    contest.ended |= {way: refusal(task, way) for way in WAYS if way not in ways}
    trees = sound_trees(task, most, seed) if ways else ()
    count = 2
    while ways and count <= most:
        ways = _measure(task, [trees[number % len(trees)] for number in range(count)], ways, contest)
        count *= 2
    return contest.choice()


def sound_trees(task: Task, count: int, seed: int) -> tuple[Tree, ...]:
    """Draws up to `count` random distillers of the task with a finite loss at the student's initialisation.

    Raises:
        ConfigError: none is.
    """
    rng, grammar = random.Random(seed), task.grammar(active_registry())
    images = task.first_images("train", PROBE)
    targets, teacher = task.targets("train")[: len(images)], task.teacher_probe(task.teacher_taps, PROBE)
    student = task.student(0).train()
    with torch.no_grad(), task.reader(student, task.student_taps) as reader:
        knowledge = reader(images)

    def sound(tree: Tree) -> bool:
        try:
            with torch.no_grad():
                return bool(torch.isfinite(Distiller(tree)(knowledge, teacher, targets)))
        except Exception:  # a user's primitive may raise; the search's screening turns it down, too
            return False

    drawn = (random_tree(rng, grammar=grammar) for _ in range(20 * count))
    found = tuple(islice(filter(sound, drawn), count))
    if not found:
        raise ConfigError(f"none of {20 * count} random distillers gives a finite loss on {task.name}; check its data")
    return found


def _measure(task: Task, trees: Sequence[Tree], ways: Sequence[Way], contest: _Contest) -> list[Way]:
    """Measures this number of students; returns the ways for which twice as many may be faster still."""
    count = len(trees)
    alone = [Training(task, Distiller(tree), task.proxy, student_seed=0, order_seed=0) for tree in trees]
    together: dict[Way, FusedTraining] = {}
    times: dict[Way | None, list[float]] = {None: []}
    for round_ in range(1 + ROUNDS):
        times[None].append(sum(_step_seconds(task, training) for training in alone))
        for way in ways:
            if way in contest.ended:
                continue
            try:
                if round_ == 0:  # the first step, which pays for allocations, is not counted
                    distillers = [Distiller(tree) for tree in trees]
                    together[way] = FusedTraining(task, distillers, task.proxy, way=way, student_seed=0, order_seed=0)
                times.setdefault(way, []).append(_step_seconds(task, together[way]))
            except (
                MemoryError,
                RuntimeError,
                FuseError,
            ) as error:  # memory that ran out is either
                contest.ended[way] = f"{count} students: {type(error).__name__}: {str(error).splitlines()[0]}"
                together.pop(way, None)
    seconds = statistics.median(times[None][1:]) / count
    medians = {way: statistics.median(times[way][1:]) / count for way in together}
    return [way for way, median in medians.items() if contest.enter(way, count, seconds, median)]


def _step_seconds(task: Task, training: Training | FusedTraining) -> float:
    started = time.perf_counter()
    with suppress(DivergedError):  # its step took as long as any
        training.advance(training.step + 1)
    if task.device.type == "cuda":
        torch.cuda.synchronize(task.device)
    return time.perf_counter() - started
