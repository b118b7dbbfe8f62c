"""The table of correlations."""

from benchmarks.proxy_rank.table import summary


def test_the_summary_has_a_column_for_each_rung() -> None:
    rows = [
        {"part": "by seed", "fitness": f, "proxy": "race", "student steps": s, "Spearman, mean over seeds": s / 10}
        for f in ("a", "b")
        for s in (1, 2)
    ]
    assert summary([{"part": "ceiling"}, *rows]) == [
        {"part": "correlations", "fitness": f, "race @ 1": 0.1, "race @ 2": 0.2} for f in ("a", "b")
    ]
