"""Which share of random trees survives the screening, stage by stage, as a search would meet them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import get_args

from benchmarks.result import Row
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.screen import Screening, Stage
from kdzero_gp.grammar.tree import Tree

DUPLICATE = "canonical_duplicate"
SURVIVED = "survived"


def screen(trees: Iterable[Tree], evaluator: Evaluator) -> Counter[str]:
    """Counts how each tree's screening ended: `survived`, a stage, or the status of a failure.

    As in a search, a tree whose canonical form was met before is not examined, and of those that agree in effect
    the first survives.
    """
    ends: Counter[str] = Counter()
    keys: set[str] = set()
    fingerprints: set[str | None] = set()
    for tree in trees:
        if tree.key in keys:
            ends[DUPLICATE] += 1
            continue
        keys.add(tree.key)
        outcome = evaluator.screen(tree)
        if not isinstance(outcome, Screening):
            ends[outcome.stage or outcome.status] += 1
        elif outcome.fingerprint in fingerprints:
            ends["functional_duplicate"] += 1
        else:
            fingerprints.add(outcome.fingerprint)
            ends[SURVIVED] += 1
    return ends


def screening_rows(ends: Counter[str], pair: str) -> list[Row]:
    """One row per end, in the order of the examinations, whatever happened never included."""
    stages: Sequence[str] = (DUPLICATE, *get_args(Stage))
    order = [*stages, *sorted(set(ends) - {*stages, SURVIVED}), SURVIVED]
    total = sum(ends.values())
    return [
        {
            "part": "screening",
            "ended at": end.replace("_", " "),
            "trees": ends[end],
            "of": total,
            "share %": 100 * ends[end] / total,
            "pair": pair,
        }
        for end in order
    ]
