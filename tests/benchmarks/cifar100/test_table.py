"""The claims of the CIFAR-100 benchmarks, from a comparison made up for the purpose."""

from pathlib import Path

import pytest

from benchmarks.cifar100.searches import FinishedSearch, Searches
from benchmarks.cifar100.settings import MARKS
from benchmarks.cifar100.table import claims
from kdzero_gp.compare.comparison import Comparison
from kdzero_gp.compare.entries import make_entries
from kdzero_gp.compare.report import Facts
from kdzero_gp.compare.statistics import make_rows
from kdzero_gp.evaluate.full import FullResult


def comparison(accuracies: dict[str, list[float]]) -> Comparison:
    texts = {"evolved": "evolved=weight(1, kl(logits, 2))", "random": "random=weight(1, kl(logits, 3))"}
    entries = make_entries([texts.get(name, name) for name in accuracies], ("stage1",))
    results = {e.key: [FullResult({"accuracy": a}, 1.0, None) for a in accuracies[e.label]] for e in entries}
    rows, baseline = make_rows(entries, results, {})
    facts = Facts("x", 1, 2, 1, 0.7263, baseline, {}, "2025-01-02T03:04:05+00:00", "a machine", {})
    return Comparison(Path(), rows, facts)


ONE = Searches((FinishedSearch(Path(), {"seed": 0}, Path(), None, {}, 1.0, ""),))


def test_published_accuracies_are_marks_of_the_full_recipe_alone() -> None:
    given = {"none": [0.69, 0.70], "dkd": [0.72, 0.70], "evolved": [0.73, 0.726], "random": [0.70, 0.71]}
    short = claims(comparison(given), ONE, published=False)
    assert [claim.measured for claim in short[:3]] == pytest.approx([3.3, 2.3, 1.8])
    assert all(claim.holds for claim in short[:3])
    full = {claim.what: claim for claim in claims(comparison(given), ONE, published=True)}
    assert full["evolved, test accuracy"].target == pytest.approx(MARKS["dkd"] + 0.5)
    assert full["evolved, test accuracy"].measured == pytest.approx(72.8)
    assert full["student alone, test accuracy, published 69.06 %"].holds is True
    assert full["DKD, test accuracy, published 71.97 %"].holds is False
    assert not [claim for claim in short if "published" in claim.what]
