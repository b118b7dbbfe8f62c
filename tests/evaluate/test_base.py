"""What a candidate is trained as beside a hand-designed method."""

import pytest

from kdzero_gp.evaluate.base import Base
from kdzero_gp.evaluate.candidate import Candidate

STAGES = ("stage1", "stage2", "stage3")
TREE = Candidate("weight(2, l2(stage1))", (3.0,), fingerprint="f", state=b"s")


def test_a_module_carries_the_tree() -> None:
    base = Base("review", STAGES)
    plus = base.plus(TREE)
    assert (plus.tree, plus.calibration, plus.module) == (TREE.tree, (3.0,), "review")
    assert (plus.ce_weight, plus.warmup) == (1.0, 20 / 240)
    assert (plus.fingerprint, plus.state) == ("f", b"s")
    assert base.alone == Candidate(None, warmup=20 / 240, module="review")
    assert "module" in base.alone_in_program()


def test_a_tree_is_summed_and_keeps_its_own_factors() -> None:
    base = Base("kd", STAGES)
    plus = base.plus(TREE)
    assert plus.module is None
    assert plus.ce_weight == 0.1
    assert plus.tree == "add(weight(0.9, kl(logits, 4)), weight(2, l2(stage1)))"
    assert sorted(plus.calibration or ()) == [1.0, 3.0]
    assert base.alone.tree == "weight(0.9, kl(logits, 4))"
    assert base.alone_in_program() == ""


def test_options_are_part_of_its_name() -> None:
    assert Base("dkd( beta = 8 )", STAGES).name == "dkd(beta=8)"


def test_the_student_alone_is_no_tree_to_add() -> None:
    with pytest.raises(ValueError, match="added to a tree"):
        Base("review", STAGES).plus(Candidate(None))
