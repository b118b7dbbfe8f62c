"""What a search had found after how many steps, counted by hand."""

from dataclasses import replace

from benchmarks.search_cost.trace import best_so_far, steps_until
from kdzero_gp.store.record import Evaluation, Proposal

ASKED = Proposal(0, 0, "evolve", "random", (), "a", "a", 0)
DONE = Evaluation("ok", None, 1.0, {}, (2.0,), "f", 10, 0, 0.0, "", None)


def test_the_incumbent_by_the_steps_spent() -> None:
    records = [
        (replace(ASKED, tree="a"), replace(DONE, status="nan", fitness=None, steps=4)),
        (replace(ASKED, tree="b"), replace(DONE, fitness=1.5)),
        (replace(ASKED, tree="c"), replace(DONE, fitness=1.2)),
        (replace(ASKED, tree="d"), replace(DONE, fitness=1.3)),
        (replace(ASKED, tree="d", rung=1), replace(DONE, fitness=1.9, steps=20)),
        (replace(ASKED, tree="e"), replace(DONE, fitness=0.1)),
    ]
    assert [(m.steps, m.tree) for m in best_so_far(records)] == [(14, "b"), (24, "c"), (34, "c"), (54, "d"), (64, "d")]
    assert [m.steps for m in best_so_far(records, screening=6)] == [26, 42, 58, 78, 94]


def test_steps_until_as_good() -> None:
    points = [(10, 2.0), (20, 1.5), (30, 1.2)]
    assert steps_until(points, 1.5) == 20
    assert steps_until(points, 2.5) == 10
    assert steps_until(points, 1.1) is None
