"""Which share of random trees survives the screening, stage by stage, as a search would meet them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from benchmarks.harness.result import Row
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.evaluate.screen import Screening, Stage
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.store.record import Evaluation

DUPLICATE = "canonical_duplicate"
SURVIVED = "survived"


@dataclass(frozen=True)
class Screened:
    """A tree, how its screening ended (`survived`, a stage, or the status of a failure), and what it gave, if made."""

    tree: Tree
    end: str
    outcome: Screening | Evaluation | None = None


def screen(trees: Iterable[Tree], evaluator: Evaluator) -> list[Screened]:
    """Screens trees in order.

    As in a search, a tree whose canonical form was met before is not examined, and of those that agree in effect
    the first survives.
    """
    found: list[Screened] = []
    keys: set[str] = set()
    fingerprints: set[str | None] = set()
    for tree in trees:
        if tree.key in keys:
            found.append(Screened(tree, DUPLICATE))
            continue
        keys.add(tree.key)
        outcome = evaluator.screen(tree)
        if not isinstance(outcome, Screening):
            end = outcome.stage or outcome.status
        elif outcome.fingerprint in fingerprints:
            end = "functional_duplicate"
        else:
            fingerprints.add(outcome.fingerprint)
            end = SURVIVED
        found.append(Screened(tree, end, outcome))
    return found


def screening_rows(screened: Iterable[Screened], pair: str) -> list[Row]:
    """One row per end, in the order of the examinations, whatever happened never included."""
    ends = Counter(one.end for one in screened)
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
