"""Distillers as users name them: files, text forms, methods, none, and what is none of these."""

from pathlib import Path

import pytest

from kdzero_gp import Distiller
from kdzero_gp.errors import ConfigError, ParseError, TapError
from kdzero_gp.export.distiller_check import DistillerFileError
from kdzero_gp.export.distiller_file import save
from kdzero_gp.methods.named import NamedDistiller, named_distiller

STAGES = ("stage1", "stage2", "stage3")
TEXT = "add(weight(1, kl(logits, 4)), weight(5, l2(stage2)))"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save(Distiller(TEXT, calibration=(0.1, 2.5e-7)), tmp_path / "best.json")


def test_a_file_comes_with_its_calibration_bit_for_bit(file: Path) -> None:
    named = named_distiller(str(file), STAGES)
    assert str(named.tree) == TEXT
    assert named.calibration == (0.1, 2.5e-7)
    assert (named.name, named.ce_weight, named.warmup_epochs) == (str(file), 1.0, 0)


def test_a_file_may_have_any_name(file: Path) -> None:
    other = file.rename(file.with_name("winner"))
    assert named_distiller(str(other), STAGES).calibration == (0.1, 2.5e-7)


def test_a_text_form_is_taken_as_written() -> None:
    named = named_distiller(f"  {TEXT} ", STAGES)
    assert str(named.tree) == TEXT
    assert named.calibration is None
    assert named.ce_weight == 1


def test_a_method_comes_with_its_published_weights() -> None:
    assert named_distiller("kd", STAGES).ce_weight == 0.1
    at = named_distiller("at", ("stage1", "stage2"))
    assert at.tree is not None
    assert set(at.tree.root.taps()) == {"stage1", "stage2"}
    assert at.calibration is None


def test_none_is_the_student_alone() -> None:
    assert named_distiller("none", ()) == NamedDistiller("none", None, None, 1.0, 0)


def test_a_warm_up_takes_the_same_share_of_any_schedule() -> None:
    dkd = named_distiller("dkd", STAGES)
    assert dkd.warmup_epochs == 20
    assert dkd.warmup_steps(2400) == 200
    assert dkd.warmup_steps(12) == 1
    assert named_distiller("kd", STAGES).warmup_steps(2400) == 0


def test_a_fault_in_a_text_form_is_named_by_its_place() -> None:
    with pytest.raises(ParseError, match=r"column 14: found `logitz`.*Did you mean `logits`") as caught:
        named_distiller("weight(1, kl(logitz, 4))", STAGES)
    assert caught.value.position == 13


def test_a_text_form_reads_the_pairs_own_stages_alone() -> None:
    with pytest.raises(ParseError, match="found `stage4`"):
        named_distiller("weight(1, l2(stage4))", STAGES)


def test_a_file_for_a_pair_with_more_stages_is_refused(file: Path) -> None:
    with pytest.raises(TapError, match=r"best\.json reads `stage2`, but this pair has stage1, pool, logits"):
        named_distiller(str(file), ("stage1",))


@pytest.mark.parametrize("text", ["kdd", "", "l2", "a" * 5000, "no\0path"])
def test_nonsense_is_told_what_there_is(text: str) -> None:
    with pytest.raises(ConfigError, match=r"names no distiller.*ab, at, bkd.*none.*best.json.*weight\(1, kl"):
        named_distiller(text, STAGES)


def test_a_slip_of_the_pen_is_shown_the_closest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'dkd'"):
        named_distiller("ddkd", STAGES)


def test_a_missing_file_and_a_file_of_somebody_else(tmp_path: Path) -> None:
    with pytest.raises(DistillerFileError, match=r"best.json is not a file; give the path of a best.json"):
        named_distiller(str(tmp_path / "best.json"), STAGES)
    foreign = tmp_path / "package.json"
    foreign.write_text('{"name": "something"}')
    with pytest.raises(DistillerFileError, match="not a distiller file"):
        named_distiller(str(foreign), STAGES)


def test_a_sum_keeps_what_each_part_is_alone(file: Path) -> None:
    kd, evolved = named_distiller("kd", STAGES), named_distiller(str(file), STAGES)
    both = named_distiller(f"kd + {file}", STAGES)
    assert str(both.tree) == f"add({kd.tree}, {evolved.tree})"
    assert (both.ce_weight, both.warmup_epochs) == (0.1, 0)
    assert named_distiller(f"dkd + {file}", STAGES).warmup_epochs == 20
    values, factors = Distiller(str(both.tree)).terms_in_order, both.calibration
    assert factors is not None
    scales = {term.distance.text: term.value * f for term, f in zip(values, factors, strict=True)}
    # kd: 0.9 · kl as published; the file: 1 · kl times 0.1 and 5 · l2 times 2.5e-7. kl stands in both.
    assert scales == pytest.approx({"kl(logits, 4)": 0.9 + 0.1, "l2(stage2)": 5 * 2.5e-7}, rel=1e-14)


def test_a_sum_of_three_and_one_as_written() -> None:
    both = named_distiller("kd + sp + weight(2, l2(stage1))", STAGES)
    assert both.calibration is None
    assert str(both.tree).startswith("add(add(weight(0.9, kl(logits, 4)), weight(3000,")
    assert named_distiller("weight(1e+03, l2(stage1))", STAGES).tree is not None


def test_nothing_is_added_to_the_student_alone() -> None:
    with pytest.raises(ConfigError, match=r"'none \+ kd'.*leave it out"):
        named_distiller("none + kd", STAGES)
