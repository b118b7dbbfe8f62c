"""The list of all methods."""

from kdzero_gp.methods.listing import method_rows
from kdzero_gp.methods.registry import METHODS


def test_every_method_is_listed_with_what_it_reads_learns_and_costs() -> None:
    rows = {row.name: row for row in method_rows()}
    assert list(rows) == list(METHODS)
    assert rows["none"].kind == "alone"
    assert (rows["kd"].kind, rows["kd"].taps, rows["kd"].learned, rows["kd"].ce_weight) == ("tree", "logits", 0, 0.1)
    assert rows["cc"].learned == 2 * (64 * 128 + 128)
    assert rows["ab"].phases == "240 + 30"
    assert rows["rco"].phases == "60/60/60/60"
    assert rows["srrl"].taps == "stage3 | pool logits"
    assert rows["dkd"].options == "alpha=1, beta=2"
    assert rows["crd"].needs == ("sample numbers",)
    for row in rows.values():
        assert row.source
        assert row.home
