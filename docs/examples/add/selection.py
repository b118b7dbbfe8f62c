"""A selection scheme of your own, for `--primitives` or kdzero_gp/evolve/selection.py."""

import random
from collections.abc import Sequence

from deap import tools

from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.selection import Selection, selection


@selection("truncation", "any of the better half")
class Truncation(Selection):
    """Everyone in the better half may become a parent, and the best of old and new survive."""

    def parent(self, population: Sequence[Individual], rng: random.Random) -> Individual:
        """Draws one of the better half; all have the same chance."""
        return rng.choice(tools.selBest(population, (len(population) + 1) // 2))

    def survivors(self, population: Sequence[Individual], newcomers: Sequence[Individual]) -> list[Individual]:
        """Keeps the best of both."""
        return list(tools.selBest([*population, *newcomers], self.settings.population))
