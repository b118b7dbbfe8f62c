"""A whole search without any training: how many evaluations go to trees that were known already.

The fitness is a number drawn from the hash of what a distiller computes, so two trees that agree in effect are worth
the same and nothing is trained; the loop, the proposer and the deduplication are the real ones.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from benchmarks.engine.plain_deap import evaluated_by_ea_simple
from benchmarks.harness.random_knowledge import PAIRS, knowledge, targets
from kdzero_gp import Distiller, Tree, parse
from kdzero_gp.evaluate.evaluator import Entry, Trained
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.search import Search
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.execute.protocol import AnyJob, Result, ScreenJob, TrainJob
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.run.observer import Silent
from kdzero_gp.store.record import Evaluation, Proposal


class Effects:
    """What distillers compute on one fixed batch: loss and gradient in text, equal for those that agree in effect."""

    def __init__(self) -> None:
        self.student = knowledge(PAIRS[0].student, 0, graph=True)
        self.teacher = knowledge(PAIRS[0].teacher, 1)
        self.targets = targets(0)
        self._known: dict[str, str] = {}

    def __call__(self, tree: Tree) -> str:
        if tree.key not in self._known:
            self._known[tree.key] = self._compute(tree)
        return self._known[tree.key]

    def fitness(self, tree: Tree) -> float:
        """A number in [0, 1) that only the effect decides."""
        digest = hashlib.blake2b(self(tree).encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def _compute(self, tree: Tree) -> str:
        loss = Distiller(tree)(self.student, self.teacher, self.targets)
        if not loss.requires_grad:
            return f"{loss:.4e}"
        gradients = torch.autograd.grad(loss, list(self.student.values()), allow_unused=True)
        generator = torch.Generator().manual_seed(0)
        projections = [
            float((gradient * torch.randn(gradient.shape, generator=generator)).sum()) if gradient is not None else 0.0
            for gradient in gradients
        ]
        return " ".join(f"{number + 0.0:.4e}" for number in (float(loss.detach()), *projections))


@dataclass
class ToyExecutor:
    """Screens by effect and trains by hash."""

    effects: Effects
    trained: list[Tree] = field(default_factory=list)

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Result]]:
        """Yields (index of the job, result) in the order of the jobs."""
        for index, job in enumerate(jobs):
            if isinstance(job, ScreenJob):
                yield index, Screening(None, (), self.effects(parse(job.tree)))
            elif isinstance(job, TrainJob):
                yield index, tuple(self._trained(entry) for entry in job.entries)
            else:
                raise TypeError(f"a toy search has no {type(job).__name__}")

    def _trained(self, entry: Entry) -> Trained:
        tree = parse(entry.tree)
        self.trained.append(tree)
        return Trained(_evaluation(self.effects.fitness(tree), entry.screening.fingerprint), None)

    def close(self) -> None:
        """Nothing to end."""


class ToyStore:
    """Keeps nothing: a toy search is not resumed."""

    def find(self, arm: str, canonical: str, rung: int) -> None:
        """Nothing is known."""

    def get(self, arm: str, number: int, rung: int = 0) -> None:
        """Nothing is known."""

    def record(self, proposal: Proposal, evaluation: Evaluation) -> bool:
        """Forgets it."""
        return True

    def put_generation(self, arm: str, generation: int, stats: Any) -> None:
        """Forgets it."""


@dataclass(frozen=True)
class Spent:
    """Evaluations of one search, and how many of them were on something new.

    Attributes:
        trees: every tree that was evaluated, repeats included.
        avoided: repeats that were proposed and not evaluated, canonical and functional ones.
    """

    trees: Sequence[Tree]
    effects: Effects
    avoided: tuple[int, int] = (0, 0)

    @cached_property
    def distinct(self) -> tuple[int, int, int]:
        """Different texts, different canonical forms, different effects."""
        kinds = (str, lambda tree: tree.key, self.effects)
        texts, keys, effects = (len({kind(tree) for tree in self.trees}) for kind in kinds)
        return texts, keys, effects


def our_search(grammar: Grammar, effects: Effects, *, population: int, generations: int, seed: int) -> Spent:
    """The evaluations of the real loop."""
    executor = ToyExecutor(effects)
    settings = SearchSettings(population=population, generations=generations, seed=seed, elites=max(1, population // 4))
    funnel: Counter[str] = Counter()

    class Tally(Silent):
        def generation_done(self, arm: Any, generation: int, stats: dict[str, Any]) -> None:
            funnel.update(stats["funnel"])

    Search("evolve", settings, grammar, executor, ToyStore(), Tally()).run()  # type: ignore[arg-type]
    return Spent(executor.trained, effects, (funnel["duplicate"], funnel["functional_duplicate"]))


def plain_search(grammar: Grammar, effects: Effects, founders: Sequence[Tree], *, budget: int, seed: int) -> Spent:
    """The evaluations of DEAP's `eaSimple` from the same number of founders."""
    return Spent(evaluated_by_ea_simple(founders, grammar, effects.fitness, budget=budget, seed=seed), effects)


def _evaluation(fitness: float, fingerprint: str | None) -> Evaluation:
    return Evaluation(
        status="ok",
        stage=None,
        fitness=fitness,
        parts={},
        calibration=(),
        fingerprint=fingerprint,
        steps=0,
        seed=0,
        seconds=0.0,
        host="",
        error=None,
    )
