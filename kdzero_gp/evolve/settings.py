"""The parameters of a search."""

from dataclasses import dataclass, field
from typing import Literal

from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.grammar.vary import Limits

Arm = Literal["evolve", "random"]
DEFAULT_SELECTION = "tournament"


def _operators() -> dict[str, float]:
    return {
        "crossover": 0.25,
        "join": 0.15,
        "subtree": 0.15,
        "node": 0.15,
        "constant": 0.12,
        "insert": 0.08,
        "hoist": 0.05,
        "shrink": 0.05,
    }


@dataclass(frozen=True)
class SearchSettings:
    """The parameters of the genetic-programming loop.

    Attributes:
        population: candidates that enter the race in every generation; the budget is population x (generations + 1)
            of them, for evolution and for random search alike.
        generations: after the first population.
        seed: of the run.
        selection: name of a selection scheme.
        tournament: size of a tournament.
        elites: best individuals that survive into the next generation besides the newly trained.
        operators: relative frequency of each variation; a random newcomer replaces one that finds nothing new.
        ladder: the race that every generation's candidates run; one rung trains each to the end.
        fuse: how many students are trained together in one program.
        patience: proposals a generation may ask for, as a multiple of the population, until enough pass screening.
        deduplicate: whether a tree that agrees with an earlier one, in form or in effect, is passed over.
        shrink_space: whether operations whose carriers are credibly worse lose sampling weight.
    """

    population: int = 20
    generations: int = 25
    seed: int = 0
    selection: str = DEFAULT_SELECTION
    tournament: int = 3
    elites: int = 5
    limits: Limits = field(default_factory=Limits)
    operators: dict[str, float] = field(default_factory=_operators)
    ladder: Ladder = field(default_factory=lambda: Ladder((1,)))
    fuse: int = 1
    patience: int = 10
    deduplicate: bool = True
    shrink_space: bool = True
