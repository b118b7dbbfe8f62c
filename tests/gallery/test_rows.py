"""The columns of the table against the records they came from."""

from collections.abc import Callable

import pytest

from kdzero_gp.gallery.rows import columns, operation_names, outline
from kdzero_gp.grammar.parse import parse
from kdzero_gp.store import RunStore
from tests.gallery.sample_run import EXAMPLE, fill_sample


@pytest.mark.parametrize(
    "text", ["weight(1, l1(pool))", "weight(2, kl(logits, 4))", "add(weight(1, l1(pool)), weight(0.5, l2(logits)))"]
)
def test_size_and_depth_are_those_of_the_tree(text: str) -> None:
    tree = parse(text)
    assert outline(text) == (tree.size, tree.height)


def test_names_of_operations_are_told_from_taps_and_constants() -> None:
    expected = {"add", "weight", "kl", "w_entropy", "l1", "norm_n", "scale_r2", "catt"}
    assert operation_names(EXAMPLE) == expected


def test_every_value_can_be_found_again(store: RunStore, record: Callable[..., None]) -> None:
    fill_sample(store, record)
    record(6, "weight(1, l1(pool))", 1.23456789, parts={"ce": float("nan"), "gap": 0.5}, canonical="weight(1, l1(f))")
    recorded = list(store.evaluations())
    table = columns(recorded)
    assert table["count"] == len(recorded)
    for i, (proposal, evaluation) in enumerate(recorded):
        assert table["arm"]["names"][table["arm"]["codes"][i]] == proposal.arm
        assert table["number"][i] == proposal.number
        assert table["parents"][i] == list(proposal.parents)
        assert table["tree"][i] == proposal.tree
        assert table["calibration"][i] == list(evaluation.calibration)
        error = table["error"]["rows"].get(str(i))
        assert (None if error is None else table["error"]["names"][error]) == evaluation.error
        if evaluation.fitness is None:
            assert table["fitness"][i] is None
        else:
            assert table["fitness"][i] == pytest.approx(evaluation.fitness, rel=1e-5)
    place = [p.number for p, _ in recorded].index(6)
    assert table["parts"]["ce"][place] == "nan"
    assert table["parts"]["gap"] == [0.5 if i == place else None for i in range(len(recorded))]
    assert table["canonical"] == {str(place): "weight(1, l1(f))"}
    assert "rejected: no_gradient" in table["status"]["names"]
