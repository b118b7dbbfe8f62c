"""Gains under several teachers, and with the evolved distiller added: numbers by hand, faults by name."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from kdzero_gp.errors import ConfigError, StoreError
from kdzero_gp.plot.added import added_figure, draw, panel
from kdzero_gp.plot.capacity import capacity_figure
from kdzero_gp.plot.comparison_tables import read_table
from kdzero_gp.plot.gains import terms
from kdzero_gp.plot.style import printed

KD, SP, OWN = "weight(0.9, kl(logits, 4))", "weight(3000, l2(norm_c(mm(stage3))))", "weight(2, l1(pool))"
ROWS: list[tuple[str, str, str | None, list[float | None]]] = [
    ("none", "alone", None, [0.90, 0.92]),
    ("kd", "method", KD, [0.93, 0.93]),
    ("sp", "method", SP, [0.91, None]),
    ("best.json", "file", OWN, [0.94, 0.95]),
    ("kd+", "file", f"add({KD}, weight(5, l1(pool)))", [0.95, 0.96]),
]


def comparison(folder: Path, teacher: str = "cnn8", rows: Any = ROWS, **changes: Any) -> Path:
    """A folder as `python -m kdzero_gp.compare` leaves it, as far as the figures read it."""
    settings = {"teacher": {"name": teacher, "weights": teacher}, "student": {"name": "cnn2"}}
    settings |= {"data": {"name": "digits", "fingerprint": "f"}, "recipe": {"epochs": 16}, "threads": 1}
    table = {"format": "kdzero_gp.comparison.table", "version": 1, "title": f"{teacher} -> cnn2", "epochs": 16}
    table |= {
        "teacher_accuracy": len(teacher) / 10,
        "teacher_parameters": 1000 * len(teacher) ** 2,
        "settings": settings,
        "seeds": 2,
    }
    table["rows"] = [dict(zip(("label", "kind", "formula", "accuracy"), row, strict=True)) for row in rows]
    folder.mkdir(parents=True)
    (folder / "table.json").write_text(json.dumps(table | changes))
    return folder


def lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def test_gains_are_paired_by_seed(tmp_path: Path) -> None:
    folders = [comparison(tmp_path / "b", "cnn32"), comparison(tmp_path / "a", "cnn8")]
    written = capacity_figure(folders, out=tmp_path / "out")
    found = {(line["method"], line["teacher"]): line for line in lines(written.csv)}
    assert [line["teacher"] for line in lines(written.csv)][:2] == ["cnn8", "cnn32"], "from small to large"
    assert {method for method, _ in found} == {"kd", "sp", "best.json"}, "neither the student alone nor sums"
    kd = found["kd", "cnn8"]
    # 93 - 90 = 3 and 93 - 92 = 1: mean 2, standard deviation of 3 and 1
    assert float(kd["gain_points"]) == pytest.approx(2)
    assert float(kd["std_points"]) == pytest.approx(2**0.5)
    assert (kd["seeds"], float(kd["teacher_accuracy_percent"])) == ("2", 40)
    sp = found["sp", "cnn32"]
    assert (float(sp["gain_points"]), sp["std_points"], sp["seeds"]) == (pytest.approx(1), "", "1")
    text = written.svg.read_text()
    for word in ("student alone (points)", "cnn32", "25.0k", "best.json"):
        assert word in text


def test_methods_can_be_chosen_and_must_be_there(tmp_path: Path) -> None:
    folders = [comparison(tmp_path / name, name) for name in ("cnn8", "cnn32")]
    written = capacity_figure(folders, out=tmp_path / "out", methods=("kd+",), name="x")
    assert {line["method"] for line in lines(written.csv)} == {"kd+"}
    assert written.svg == tmp_path / "out" / "x.svg"
    with pytest.raises(ConfigError, match=r"cnn8 has no 'dkd', but none, kd, sp, best.json, kd\+"):
        capacity_figure(folders, out=tmp_path / "out", methods=("dkd",))


def test_the_evolved_one_is_added(tmp_path: Path) -> None:
    written = added_figure([comparison(tmp_path / "a")], out=tmp_path / "out")
    found = {(line["method"], line["evolved_added"]): float(line["gain_points"]) for line in lines(written.csv)}
    assert found == pytest.approx({("kd", "no"): 2, ("kd", "yes"): 4.5, ("", "yes"): 3.5})
    assert "with the evolved distiller added" in written.svg.read_text()


def test_title_and_legend_of_few_bars_are_whole(tmp_path: Path) -> None:
    folder = comparison(tmp_path / "a")
    found = panel(folder, read_table(folder), None)
    with printed():
        figure = draw([found], "resnet20 on cifar100_train.npz, 12 epochs")
        FigureCanvasAgg(figure).draw()
    for drawn in (figure.legends[0], figure.texts[0]):
        box = drawn.get_window_extent()
        assert 0 <= box.x0 < box.x1 <= figure.bbox.width


def test_what_is_not_there_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    folder = comparison(tmp_path / "a", rows=ROWS[:-1])
    with pytest.raises(ConfigError, match=r"(?s)'best.json' added, for kd, sp.*--methods 'kd\+evolved=kd \+ FILE,sp"):
        added_figure([folder], out=tmp_path)
    with pytest.raises(ConfigError, match=r"for sp\. .*"):
        added_figure([comparison(tmp_path / "b")], out=tmp_path, methods=("kd", "sp"))
    with pytest.raises(ConfigError, match=r"1 comparison is given, .*--teacher OTHER"):
        capacity_figure([folder], out=tmp_path)
    with pytest.raises(ConfigError, match=r"no row of the student alone.*--methods none,"):
        capacity_figure([folder, comparison(tmp_path / "c", rows=ROWS[1:])], out=tmp_path)
    with pytest.raises(ConfigError, match=r"no evolved distiller among 'none', 'kd'.*best.json"):
        added_figure([comparison(tmp_path / "d", rows=ROWS[:2])], out=tmp_path)
    two = [*ROWS[:4], ("other", "file", "weight(1, l1(logits))", [0.9, 0.9])]
    with pytest.raises(ConfigError, match=r"several .*'best.json', 'other'; name it by --evolved"):
        added_figure([comparison(tmp_path / "e", rows=two)], out=tmp_path)
    with pytest.raises(ConfigError, match=r"--evolved is 'kx', but .* has 'none', 'kd'"):
        added_figure([folder], out=tmp_path, evolved="kx")
    assert not (tmp_path / "capacity-added.svg").exists()


def test_only_like_comparisons_stand_together(tmp_path: Path) -> None:
    first = comparison(tmp_path / "a", "cnn8")
    with pytest.raises(ConfigError, match="of one teacher, cnn8; name one"):
        capacity_figure([first, comparison(tmp_path / "b", "cnn8")], out=tmp_path)
    other = json.loads((first / "table.json").read_text())["settings"]
    other |= {"teacher": {"name": "cnn32"}, "recipe": {"epochs": 17}}
    with pytest.raises(ConfigError, match=r"(?s)cannot stand beside.*recipe.epochs: the first has 16, but 17"):
        capacity_figure([first, comparison(tmp_path / "c", settings=other)], out=tmp_path)


@pytest.mark.parametrize(
    "fault",
    [
        {"format": "other"},
        {"version": 2},
        {"teacher_accuracy": 1.5},
        {"teacher_accuracy": float("nan")},
        {"rows": [{"label": "none", "kind": "alone", "formula": None, "accuracy": ["1/0"]}]},
        {"rows": [{"label": "none", "kind": "evil", "formula": None, "accuracy": []}]},
        {"epochs": []},
    ],
)
def test_a_foreign_table_is_refused(tmp_path: Path, fault: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=r"table\.json is not a table that this version reads"):
        read_table(comparison(tmp_path / "a", **fault))


def test_no_table_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot read .*table\.json.*kdzero_gp\.compare"):
        read_table(tmp_path)
    (tmp_path / "table.json").write_bytes(b"\xff{")
    with pytest.raises(StoreError, match="not a table"):
        read_table(tmp_path)


def test_terms_of_a_formula_without_weights() -> None:
    assert dict(terms(f"add(add({KD}, weight(1e-3, kl(logits, 4))), {SP})")) == {
        "kl(logits,4)": 2,
        "l2(norm_c(mm(stage3)))": 1,
    }
    assert not terms(None)
    assert dict(terms("weight()")) == {"weight()": 1}
    deep = "add(" * 3000 + "x" + ", y)" * 3000
    assert dict(terms(deep)) == {"x": 1, "y": 3000}


def test_the_same_folders_give_the_same_bytes(tmp_path: Path) -> None:
    folders = [comparison(tmp_path / name, name) for name in ("cnn8", "cnn32")]
    for make in (capacity_figure, added_figure):
        one, other = (make(folders, out=tmp_path / out) for out in "12")
        for ending in ("svg", "png", "csv"):
            assert getattr(one, ending).read_bytes() == getattr(other, ending).read_bytes()
