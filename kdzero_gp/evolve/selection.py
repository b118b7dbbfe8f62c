"""Selection schemes: how the members of a population compare, which become parents, and which survive.

A new scheme is one decorated class, here or in a file that `--primitives` names:

    @selection("oldest", "keeps the first that came")
    class Oldest(Selection):
        def parent(self, population, rng): ...
        def survivors(self, population, newcomers): ...
"""

import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from deap import base, tools

from kdzero_gp.choices import Choices
from kdzero_gp.evolve.individual import Individual, RaceFitness, RaceFitnessWithSize
from kdzero_gp.evolve.settings import DEFAULT_SELECTION, SearchSettings


class Selection(ABC):
    """A selection scheme; each search has an instance of its own.

    Args:
        settings: size of the population, of a tournament, and of the elite.
    """

    def __init__(self, settings: SearchSettings) -> None:
        self.settings = settings

    @staticmethod
    def fitness(rung: int, value: float, size: int) -> base.Fitness:
        """Makes the fitness that DEAP compares individuals by.

        Args:
            rung: the highest one that was reached.
            value: the fitness there, lower is better.
            size: nodes of the tree.
        """
        return RaceFitness((rung, value))

    @abstractmethod
    def parent(self, population: Sequence[Individual], rng: random.Random) -> Individual:
        """Draws a parent from a population that has members."""

    @abstractmethod
    def survivors(self, population: Sequence[Individual], newcomers: Sequence[Individual]) -> list[Individual]:
        """Chooses the next population from the last one and the newly trained."""

    def admit(self, population: Sequence[Individual], newcomer: Individual) -> list[Individual]:
        """Chooses the next population of a steady search, where one individual arrives at a time.

        The newcomer takes the place of what it was at a lower rung.
        """
        return self.survivors(others(population, newcomer), [newcomer])


SELECTIONS: Choices[type[Selection]] = Choices("--selection")
"""All selection schemes by name."""


def selection(name: str, about: str) -> Callable[[type[Selection]], type[Selection]]:
    """Declares a selection scheme.

    Args:
        name: what `--selection` calls it.
        about: a few words for the help of that option.
    """
    return SELECTIONS.declare(name, about, _as_it_is)


def make_selection(settings: SearchSettings) -> Selection:
    """Makes the selection scheme that the settings name.

    Raises:
        ConfigError: there is none of that name.
    """
    return SELECTIONS.require(settings.selection)(settings)


def others(members: Sequence[Individual], individual: Individual) -> list[Individual]:
    """Lists the members whose proposals have other numbers."""
    return [member for member in members if member.proposal.number != individual.proposal.number]


def _as_it_is(scheme: type[Selection]) -> type[Selection]:
    return scheme


@selection(DEFAULT_SELECTION, "the fittest of a few at random")
class Tournament(Selection):
    """The winner of a small tournament becomes a parent; the newly trained and an elite survive."""

    def __init__(self, settings: SearchSettings) -> None:
        super().__init__(settings)
        self._recent: list[Individual] = []
        self._elite: list[Individual] = []

    def parent(self, population: Sequence[Individual], rng: random.Random) -> Individual:
        """Draws a few members and takes the fittest."""
        contestants = rng.choices(population, k=self.settings.tournament)
        return max(contestants, key=lambda individual: individual.fitness)

    def survivors(self, population: Sequence[Individual], newcomers: Sequence[Individual]) -> list[Individual]:
        """Keeps the best of the newly trained and of the last population's elite."""
        elite = tools.selBest(population, self.settings.elites)
        return list(tools.selBest([*elite, *newcomers], self.settings.population))

    def admit(self, population: Sequence[Individual], newcomer: Individual) -> list[Individual]:
        """Keeps the best of those that finished last and of the elite of the whole search."""
        size = self.settings.population
        self._recent = [*others(self._recent, newcomer), newcomer][-size:]
        self._elite = tools.selBest([*others(self._elite, newcomer), newcomer], self.settings.elites)
        members = {member.proposal.number: member for member in (*self._elite, *self._recent)}
        return list(tools.selBest(list(members.values()), size))


@selection("nsga2", "NSGA-II, which trades fitness for size")
class NSGA2(Selection):
    """Non-dominated sorting by fitness and tree size.

    Source: Deb et al., A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II (IEEE TEC 2002).
    """

    @staticmethod
    def fitness(rung: int, value: float, size: int) -> base.Fitness:
        """Makes a fitness of rung, value and size."""
        return RaceFitnessWithSize((rung, value, size))

    def parent(self, population: Sequence[Individual], rng: random.Random) -> Individual:
        """Draws a few members and takes the winner by dominance, then by the larger crowding distance."""
        contestants = rng.choices(population, k=self.settings.tournament)
        best = contestants[0]
        for other in contestants[1:]:
            if other.fitness.dominates(best.fitness) or (
                not best.fitness.dominates(other.fitness) and _crowding(other) > _crowding(best)
            ):
                best = other
        return best

    def survivors(self, population: Sequence[Individual], newcomers: Sequence[Individual]) -> list[Individual]:
        """Keeps the first fronts of the last population and the newly trained, and fills up by crowding distance."""
        return list(tools.selNSGA2([*population, *newcomers], self.settings.population))


def _crowding(individual: Individual) -> float:
    return float(getattr(individual.fitness, "crowding_dist", 0.0))
