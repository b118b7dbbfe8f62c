"""Whether the screening is right: what the distillers it doubts would have been worth, beside those that it passes."""

import statistics
from collections.abc import Iterable

from scipy.stats import mannwhitneyu

from benchmarks.harness.result import Row
from benchmarks.trees.screening import SURVIVED, Screened
from kdzero_gp.evaluate.evaluator import Entry, Evaluator
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.evolve.search import DOUBTS


def worth_rows(screened: Iterable[Screened], evaluator: Evaluator, most: int) -> list[Row]:
    """Proxy fitness of survivors and of what each doubting stage turned down, relative to the student alone.

    Args:
        most: the first so many of each are trained.
    """
    groups: dict[str, list[Screened]] = {SURVIVED: [], **{stage: [] for stage in sorted(DOUBTS)}}
    for one in screened:
        if one.end in groups and len(groups[one.end]) < most:
            groups[one.end].append(one)
    fitness = {end: [_fitness(one, evaluator) for one in group] for end, group in groups.items() if group}
    return [_row(end, found, fitness.get(SURVIVED, [])) for end, found in fitness.items()]


def _fitness(one: Screened, evaluator: Evaluator) -> float | None:
    """Of the whole proxy training; None where it fails."""
    outcome = one.outcome
    if outcome is None:
        raise ValueError(f"{one.tree} was not examined")
    passed = Screening(None, outcome.calibration, outcome.fingerprint)
    (trained,) = evaluator.train([Entry(str(one.tree), passed, None)], 0)
    return trained.evaluation.fitness


def _row(end: str, found: list[float | None], survivors: list[float | None]) -> Row:
    values = [value for value in found if value is not None]
    rivals = [value for value in survivors if value is not None]
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [None] * 3
    p_value = None if end == SURVIVED or not values or not rivals else float(mannwhitneyu(values, rivals).pvalue)
    return {
        "part": "worth",
        "screening": end.replace("_", " "),
        "trained": len(found),
        "failed": len(found) - len(values),
        "better than the student alone %": 100 * sum(value < 1 for value in values) / len(found),
        "lower quartile": quartiles[0],
        "median": quartiles[1],
        "upper quartile": quartiles[2],
        "p against survivors": p_value,
    }
