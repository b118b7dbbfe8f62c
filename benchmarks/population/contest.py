"""Times the same students one by one and in one program, taking turns."""

import statistics
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch

from kdzero_gp import Tree
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.loops.fused.choice import sound_trees
from kdzero_gp.loops.fused.graph import graph_refusal
from kdzero_gp.loops.fused.training import FusedTraining
from kdzero_gp.loops.fused.ways import WAYS, Way
from kdzero_gp.loops.single import DivergedError, Training
from kdzero_gp.tasks.task import Task

DIFFERENT = 8
"""Distillers that differ; more students repeat them, and one by one only these are timed."""


@dataclass(frozen=True)
class Effort:
    """How long is measured.

    Attributes:
        rounds: turns that each contestant takes, one more before to warm up.
        steps: of each turn.
    """

    rounds: int
    steps: int


@dataclass(frozen=True)
class Program:
    """One way to train many students together."""

    way: Way
    cuda_graph: bool = False

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.way}, CUDA graph" if self.cuda_graph else self.way


@dataclass(frozen=True)
class Speed:
    """What one program did.

    Attributes:
        rate: student steps a second; None where it failed.
        gigabytes: greatest memory of the GPU; None elsewhere.
        note: why it failed.
    """

    rate: float | None
    gigabytes: float | None = None
    note: str = ""


def programs(device: torch.device) -> tuple[Program, ...]:
    """All that can be tried on a device."""
    graphs = (False, True) if device.type == "cuda" else (False,)
    return tuple(Program(way, graph) for graph in graphs for way in WAYS)


def distillers_for(task: Task, seed: int) -> list[Tree]:
    """Random distillers, none with random masks: a CUDA graph could not hold them."""
    drawn = sound_trees(task, 2 * DIFFERENT, seed)
    return [tree for tree in drawn if not graph_refusal(torch.device("cuda"), [Distiller(tree)])][:DIFFERENT]


def contest(
    task: Task, trees: Sequence[Tree] | None, students: int, contestants: Sequence[Program], effort: Effort
) -> tuple[float, dict[Program, Speed]]:
    """Student steps a second, one by one and by each program of so many students.

    Args:
        trees: distillers, used in turn; None for students alone.
    """

    def distillers(count: int) -> list[Distiller | None]:
        return [Distiller(trees[place % len(trees)]) if trees else None for place in range(count)]

    different = distillers(min(students, len(trees) if trees else 1))
    alone = [Training(task, distiller, task.proxy, student_seed=0, order_seed=0) for distiller in different]
    entrants = {program: _Entrant(task, program) for program in contestants}
    times: list[float] = []
    for _ in range(1 + effort.rounds):
        times.append(sum(_seconds(task, training, effort.steps) for training in alone) / len(alone))
        for entrant in entrants.values():
            entrant.turn(distillers(students) if entrant.training is None else [], effort.steps)
    rate = effort.steps / statistics.median(times[1:])
    return rate, {program: entrant.speed(effort.steps) for program, entrant in entrants.items()}


class _Entrant:
    """One program in a contest, made at its first turn."""

    def __init__(self, task: Task, program: Program) -> None:
        self.task, self.program = task, program
        self.training: FusedTraining | None = None
        self.times: list[float] = []
        self.gigabytes: float | None = None
        self.failure = ""

    def turn(self, distillers: list[Distiller | None], steps: int) -> None:
        if self.failure:
            return
        gpu = self.task.device if self.task.device.type == "cuda" else None
        try:
            if gpu is not None:
                torch.cuda.reset_peak_memory_stats(gpu)
            if self.training is None:
                way, graph = self.program.way, self.program.cuda_graph
                self.training = FusedTraining(
                    self.task, distillers, self.task.proxy, student_seed=0, order_seed=0, way=way, cuda_graph=graph
                )
            self.times.append(_seconds(self.task, self.training, steps) / len(self.training.distillers))
            if gpu is not None:
                self.gigabytes = max(self.gigabytes or 0.0, torch.cuda.max_memory_allocated(gpu) / 1e9)
        except (RuntimeError, MemoryError) as error:  # memory may be too small for so many
            self.failure = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            self.training = None

    def speed(self, steps: int) -> Speed:
        if self.training is not None and not all(self.training.alive):
            dropped = self.training.alive.count(False)
            self.failure = f"{dropped} of {len(self.training.alive)} students diverged and cost less from there on"
        if self.failure:
            return Speed(None, self.gigabytes, self.failure)
        return Speed(steps / statistics.median(self.times[1:]), self.gigabytes)


def _seconds(task: Task, training: Training | FusedTraining, steps: int) -> float:
    """The time of so many steps; where the schedule ends, its first steps come again."""
    if training.step + steps > training.steps:
        training.step = 0
    started = time.perf_counter()
    with suppress(DivergedError):
        training.advance(training.step + steps)
    if task.device.type == "cuda":
        torch.cuda.synchronize(task.device)
    return time.perf_counter() - started
