"""The members of a population, and two fitnesses to select them by."""

from dataclasses import dataclass
from typing import Protocol, Self

from deap import base

from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store.record import Evaluation, Proposal


class RaceFitness(base.Fitness):  # type: ignore[misc]  # DEAP has no types
    """The rung reached, higher is better, then the fitness there, lower is better.

    DEAP compares such values from the first to the last. Fitnesses of different rungs come from trainings of different
    length and cannot be compared, so an individual that was promoted counts as better than one that was not.
    """

    weights = (1.0, -1.0)


class RaceFitnessWithSize(base.Fitness):  # type: ignore[misc]
    """Rung, fitness and tree size, which NSGA-II trades off."""

    weights = (1.0, -1.0, -1.0)


class FitnessMaker(Protocol):
    """Anything that makes DEAP fitnesses: a selection scheme."""

    def fitness(self, rung: int, value: float, size: int) -> base.Fitness:
        """Makes the fitness of an individual with this rung, value and tree size."""
        ...


@dataclass
class Individual:
    """A tree that was trained with success.

    Attributes:
        proposal, evaluation: of the highest rung it reached.
        fitness: DEAP's selectors read it, and NSGA-II annotates it.
        full_fitness: after full trainings, where it had them.
    """

    tree: Tree
    proposal: Proposal
    evaluation: Evaluation
    fitness: base.Fitness
    full_fitness: float | None = None

    @classmethod
    def of(cls, proposal: Proposal, evaluation: Evaluation, selection: FitnessMaker) -> Self:
        """Makes an individual from its records.

        Raises:
            ValueError: the evaluation has no fitness.
        """
        if evaluation.fitness is None:
            raise ValueError(f"{proposal.tree} has no fitness, its status is {evaluation.status}")
        tree = parse(proposal.tree) if proposal.parsed is None else proposal.parsed
        return cls(tree, proposal, evaluation, selection.fitness(proposal.rung, evaluation.fitness, tree.size))

    @property
    def rung(self) -> int:
        """The highest rung it reached."""
        return self.proposal.rung

    @property
    def value(self) -> float:
        """The fitness there, lower is better."""
        if self.evaluation.fitness is None:
            raise ValueError(f"{self.proposal.tree} has no fitness, its status is {self.evaluation.status}")
        return self.evaluation.fitness


def best_first(individual: Individual) -> tuple[int, float, int, int]:
    """Makes a sort key of rung and fitness; ties go to the smaller, then to the earlier."""
    return -individual.rung, individual.value, individual.tree.size, individual.proposal.number
