"""A second look at the best: full trainings with fresh seeds, measured on the validation split.

The best of hundreds of noisy short trainings is partly the luckiest. So the leaders of an arm are trained in full with
seeds they have not seen, and ranked by what they reach then. The test split plays no part in it.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from kdzero_gp.evaluate.full import Entrant, FullResult
from kdzero_gp.evolve.full_trainings import run_full_trainings
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.store import RunStore

ALONE = "student alone"
Fitness = Callable[[Mapping[str, float], Mapping[str, float]], float]


@dataclass(frozen=True)
class Leader:
    """One of an arm's best, with its fitness after full trainings, or the search's where there were none."""

    individual: Individual
    fitness: float


def reassess(
    arm: str,
    found: Sequence[Individual],
    count: int,
    seeds: int,
    executor: Executor,
    store: RunStore,
    fitness: Fitness,
    *,
    done: Callable[[str, int], None],
) -> list[Leader]:
    """The best of an arm, ranked by full trainings; those that failed are left out.

    Args:
        found: best first by the search.
        count: how many are looked at again.
        seeds: full trainings of each; 0 leaves the order as it is.
        fitness: of the mean parts over the seeds, and of the student alone's.
    """
    if seeds == 0:
        return [Leader(individual, individual.value) for individual in found[:count]]
    names = {f"{arm} {individual.proposal.number}": individual for individual in found[:count]}
    entrants = {name: Entrant(str(i.tree), i.evaluation.calibration) for name, i in names.items()}
    results = run_full_trainings({ALONE: Entrant(None)} | entrants, seeds, "val", executor, store, done=done)
    reference = _mean_parts(results[ALONE])
    leaders = [
        Leader(individual, fitness(parts, reference))
        for name, individual in names.items()
        if reference is not None and (parts := _mean_parts(results[name])) is not None
    ]
    leaders.sort(key=lambda leader: (leader.fitness, leader.individual.proposal.number))
    store.put_result(
        f"leaders/{arm}",
        [{"number": leader.individual.proposal.number, "fitness": leader.fitness} for leader in leaders],
    )
    return leaders


def _mean_parts(results: Sequence[FullResult]) -> dict[str, float] | None:
    """Mean of every part over the seeds, or None if a training failed."""
    measured = [result.parts for result in results]
    if not all(measured):
        return None
    return {name: statistics.fmean(parts[name] for parts in measured if parts) for name in measured[0] or ()}
