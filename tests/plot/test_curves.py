"""Training curves: means by hand from the logs, seeds of one method together, broken folders."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from kdzero_gp.errors import ConfigError, StoreError
from kdzero_gp.plot.curves import curves_figure


def log(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "epochs.jsonl").read_text().splitlines()]


def copied(trainings: Path, tmp_path: Path, name: str = "none-0") -> Path:
    return Path(shutil.copytree(trainings / name, tmp_path / name))


def changed(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_means_over_the_seeds_by_hand(trainings: Path, tmp_path: Path) -> None:
    written = curves_figure([str(trainings / name) for name in ("none-0", "kd-0", "none-1")], out=tmp_path)
    rows = list(csv.DictReader(written.csv.read_text().splitlines()))
    found = {(row["method"], row["quantity"], int(row["epoch"])): row for row in rows}
    one, other, kd = (log(trainings / name) for name in ("none-0", "none-1", "kd-0"))
    assert len(found) == len(rows) == 2 * 2 * 3
    for epoch in range(3):
        row = found["student alone", "cross_entropy", epoch + 1]
        a, b = one[epoch]["terms"]["ce"], other[epoch]["terms"]["ce"]
        assert float(row["mean"]) == pytest.approx((a + b) / 2, rel=1e-6)
        assert float(row["std"]) == pytest.approx(abs(a - b) / 2**0.5, rel=1e-5)
        assert row["seeds"] == "2"
        row = found["student alone", "validation_accuracy_percent", epoch + 1]
        assert float(row["mean"]) == pytest.approx(50 * (one[epoch]["val_accuracy"] + other[epoch]["val_accuracy"]))
        row = found["kd", "cross_entropy", epoch + 1]
        # kd's cross-entropy has the weight 0.1 in its loss; the curve is without it, to be compared
        assert float(row["mean"]) == pytest.approx(kd[epoch]["terms"]["ce"] / 0.1, rel=1e-6)
        assert row["std"] == ""
    tops = [100 * json.loads((trainings / f"none-{seed}" / "result.json").read_text())["top1"] for seed in (0, 1)]
    assert f"student alone (test {sum(tops) / 2:.2f} ± " in written.svg.read_text()


def test_a_training_that_goes_on_is_drawn_as_far_as_it_has_come(trainings: Path, tmp_path: Path) -> None:
    folder = copied(trainings, tmp_path, "none-1")
    (folder / "result.json").unlink()
    lines = (folder / "epochs.jsonl").read_text().splitlines()[:2]
    (folder / "epochs.jsonl").write_text("\n".join(lines) + "\n")
    written = curves_figure([str(trainings / "none-0"), str(folder)], out=tmp_path)
    assert {row["epoch"] for row in csv.DictReader(written.csv.read_text().splitlines())} == {"1", "2"}


def test_without_validation_there_is_no_panel_of_it(trainings: Path, tmp_path: Path) -> None:
    folder = copied(trainings, tmp_path)
    rows = [json.dumps(row | {"val_accuracy": None}) for row in log(folder)]
    (folder / "epochs.jsonl").write_text("\n".join(rows))
    written = curves_figure([str(folder)], out=tmp_path)
    assert "validation" not in written.svg.read_text() + written.csv.read_text()


def test_folders_that_cannot_stand_together(trainings: Path, tmp_path: Path) -> None:
    none, kd = str(trainings / "none-0"), str(trainings / "kd-0")
    with pytest.raises(ConfigError, match="named twice"):
        curves_figure([none, f"a={none}"], out=tmp_path)
    with pytest.raises(ConfigError, match=r"different distillers, but both are called 'a'"):
        curves_figure([f"a={none}", f"a={kd}"], out=tmp_path)
    with pytest.raises(ConfigError, match=r"two trainings of 'student alone' have seed 0"):
        curves_figure([none, str(copied(trainings, tmp_path))], out=tmp_path)
    changed(tmp_path / "none-0" / "config.json", teacher="cnn8")
    with pytest.raises(ConfigError, match=r"its teacher is cnn8, not cnn4"):
        curves_figure([none, f"b={tmp_path / 'none-0'}"], out=tmp_path)
    with pytest.raises(ConfigError, match="no training is named"):
        curves_figure([], out=tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("config.json", "[]"),
        ("config.json", '{"distiller": 3}'),
        ("epochs.jsonl", ""),
        ("epochs.jsonl", "{}\n"),
        ("epochs.jsonl", '{"epoch": 2, "loss": 1, "terms": {}, "val_accuracy": null}\n'),
        ("epochs.jsonl", '{"epoch": 1, "loss": NaN, "terms": {}, "val_accuracy": null}\n'),
        ("epochs.jsonl", "\x00\xff"),
        ("result.json", '{"top1": 7, "tree": null, "epochs": 3}'),
    ],
)
def test_broken_files_are_named(trainings: Path, tmp_path: Path, name: str, content: str) -> None:
    folder = copied(trainings, tmp_path)
    (folder / name).write_text(content)
    with pytest.raises(StoreError, match=name.replace(".", r"\.")):
        curves_figure([str(folder)], out=tmp_path)


def test_no_folder_at_all(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot be read .*kdzero_gp\.train"):
        curves_figure([str(tmp_path / "nothing")], out=tmp_path)
