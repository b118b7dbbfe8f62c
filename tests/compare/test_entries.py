"""What a user may type for `--methods`."""

from pathlib import Path

import pytest

from kdzero_gp import Distiller
from kdzero_gp.compare.entries import make_entries, split_methods
from kdzero_gp.errors import ConfigError, ParseError
from kdzero_gp.export.distiller_file import save

STAGES = ("stage1", "stage2", "stage3")
TEXT = "add(weight(1, kl(logits, 4)), weight(5, l2(stage2)))"


def test_commas_inside_brackets_do_not_separate() -> None:
    assert split_methods([f"none, kd,{TEXT},at"]) == ["none", "kd", TEXT, "at"]
    assert split_methods(["none", f"mine={TEXT}", " sp ,"]) == ["none", f"mine={TEXT}", "sp"]


def test_a_bracket_too_many_is_the_parsers_to_name() -> None:
    assert split_methods(["kd), at"]) == ["kd)", "at"]
    assert split_methods(["weight(1, kl(logits, 4), at"]) == ["weight(1, kl(logits, 4), at"]
    with pytest.raises(ParseError, match="end of the text"):
        make_entries(["weight(1, kl(logits, 4"], STAGES)


def test_no_method_at_all_is_an_error() -> None:
    for texts in ([], [""], [" , ,"]):
        with pytest.raises(ConfigError, match="--methods names none"):
            split_methods(texts)


def test_each_kind_has_its_label_and_source(tmp_path: Path) -> None:
    file = str(save(Distiller(TEXT, calibration=(2.0, 3.0)), tmp_path / "best.json"))
    entries = make_entries(["none", "dkd", file, TEXT, "weight(2, kl(logits, 4))"], STAGES)
    assert [entry.label for entry in entries] == ["none", "dkd", "best.json", "formula 1", "formula 2"]
    assert [entry.kind for entry in entries] == ["alone", "method", "file", "text", "text"]
    assert "CVPR 2022" in entries[1].source
    assert entries[2].source == file
    assert entries[1].candidate.warmup == pytest.approx(20 / 240)
    assert (entries[2].candidate.tree, entries[2].candidate.calibration) == (TEXT, (2.0, 3.0))


def test_labels_are_the_users(tmp_path: Path) -> None:
    first = save(Distiller(TEXT), tmp_path / "best.json")
    second = save(Distiller("weight(2, kl(logits, 4))"), tmp_path / "a=b.json")
    entries = make_entries([f"evolved={first}", f"random = {second}", f"mine={TEXT}", str(second)], STAGES)
    assert [entry.label for entry in entries] == ["evolved", "random", "mine", "a=b.json"]


def test_one_label_for_two_methods_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = save(Distiller(TEXT), tmp_path / "best.json")
    two = save(Distiller("weight(2, kl(logits, 4))"), tmp_path / "other" / "best.json")
    with pytest.raises(ConfigError, match=r"two different methods are called 'best\.json'; tell them apart by labels"):
        make_entries([str(one), str(two)], STAGES)
    assert len(make_entries(["kd", "kd", str(one), str(one)], STAGES)) == 2


def test_the_key_tells_what_is_trained_and_not_what_it_is_called(tmp_path: Path) -> None:
    kd, same, weighted = make_entries(["kd", "mine=weight(0.9, kl(logits, 4))", "x=weight(0.8, kl(logits, 4))"], STAGES)
    assert len({kd.key, same.key, weighted.key}) == 3, "kd has another weight of the cross-entropy"
    text, named = make_entries([TEXT, f"named={TEXT}"], STAGES)
    assert text.key == named.key
    file = save(Distiller(TEXT, calibration=(2.0, 3.0)), tmp_path / "best.json")
    assert make_entries([str(file)], STAGES)[0].key != text.key
