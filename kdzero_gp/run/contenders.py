"""Who enters the final table."""

from collections.abc import Sequence

from kdzero_gp.evaluate.full import Entrant
from kdzero_gp.evolve.final import Contender, Kind
from kdzero_gp.evolve.reassess import ALONE, Leader
from kdzero_gp.methods.registry import method
from kdzero_gp.run.config import RunConfig


def contenders(
    config: RunConfig, stages: Sequence[str], found: Sequence[Leader], rivals: Sequence[Leader], baseline: str
) -> list[Contender]:
    """The best of the run and, unless they are not wanted, what they are measured by.

    Args:
        stages: names of the pair's stages.
        found: of the main arm, best first.
        rivals: of the random search beside an evolution, best first.
        baseline: the hand-designed method that every other row is tested against.
    """
    kind: Kind = "evolved" if config.algorithm == "evolve" else "random"
    label = "evolved" if kind == "evolved" else "random search"
    entered = [
        _contender(f"{label} {number}", kind, member) for number, member in enumerate(found[: config.finalists], 1)
    ]
    if not config.baselines:
        return entered
    if rivals:
        entered.append(_contender("random search", "random", rivals[0]))
    chosen = method(baseline)
    entrant = Entrant(str(chosen.tree(stages)), None, chosen.ce_weight)
    return [*entered, Contender(baseline, "method", entrant), Contender(ALONE, "alone", Entrant(None))]


def _contender(name: str, kind: Kind, leader: Leader) -> Contender:
    member = leader.individual
    return Contender(name, kind, Entrant(str(member.tree), member.evaluation.calibration), leader.fitness)
