"""`python -m kdzero_gp.plot` as a user meets it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from kdzero_gp.plot.__main__ import app


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def comparison(folder: Path, teacher: str) -> Path:
    rows = [("none", "alone", None, [0.9]), ("kd", "method", "weight(1, kl(logits, 4))", [0.92])]
    rows += [("best.json", "file", "weight(2, l1(pool))", [0.94])]
    rows += [("kd+", "file", "add(weight(1, kl(logits, 4)), weight(2, l1(pool)))", [0.95])]
    table = {"format": "kdzero_gp.comparison.table", "version": 1, "title": "t", "epochs": 2, "teacher_accuracy": 0.99}
    table["settings"] = {"teacher": {"name": teacher}, "student": {"name": "cnn2"}, "data": {"name": "digits"}}
    table["rows"] = [dict(zip(("label", "kind", "formula", "accuracy"), row, strict=True)) for row in rows]
    folder.mkdir()
    (folder / "table.json").write_text(json.dumps(table))
    return folder


def training(folder: Path, distiller: str, seed: int) -> Path:
    folder.mkdir()
    config = {"distiller": distiller, "seed": seed, "data": "digits", "teacher": "cnn32", "student": "cnn2"}
    (folder / "config.json").write_text(json.dumps(config))
    row = {"loss": 1.0, "terms": {"ce": 1.0}, "val_accuracy": 0.5}
    (folder / "epochs.jsonl").write_text("".join(json.dumps(row | {"epoch": e}) + "\n" for e in (1, 2)))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_capacity_says_where_its_files_are(tmp_path: Path) -> None:
    folders = [comparison(tmp_path / name, name) for name in ("cnn8", "cnn32")]
    outcome = invoke("capacity", *folders, "--out", tmp_path / "out")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines() == [str(tmp_path / "out" / f"capacity.{e}") for e in ("svg", "png", "csv")]
    outcome = invoke("capacity", *folders, "--added", "--out", tmp_path / "more", "--name", "fig3", "--quiet")
    assert (outcome.exit_code, outcome.output) == (0, "")
    assert names(tmp_path / "more") == ["fig3.csv", "fig3.png", "fig3.svg"]
    outcome = invoke(
        "capacity", *folders, "--methods", "kd, best.json", "--evolved", "best.json", "--out", tmp_path / "o"
    )
    assert "kd," in (tmp_path / "o" / "capacity.csv").read_text(), outcome.output


def test_curves_take_labels(tmp_path: Path) -> None:
    folders = [f"mine={training(tmp_path / f'a{seed}', 'weight(1, l2(logits))', seed)}" for seed in (0, 1)]
    outcome = invoke("curves", *folders, training(tmp_path / "kd", "kd", 0), "--out", tmp_path / "out")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    lines = (tmp_path / "out" / "curves.csv").read_text().splitlines()
    assert "mine,cross_entropy,1,1,0,2" in lines
    assert "kd,cross_entropy,2,10,,1" in lines


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("capacity", "a"), "1 comparison is given"),
        (("capacity", "a", "b"), "cannot read a/table.json"),
        (("curves", "nothing"), "nothing/config.json cannot be read"),
        (("correlation", "nothing"), "nothing/config.json cannot be read"),
        (("tsne", "nothing", "--images", "3"), "--images is 3"),
        (("cam", "nothing"), "nothing/config.json"),
    ],
)
def test_errors_are_one_message_and_an_exit_code(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = invoke(*arguments)
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("error: ")
    assert message in outcome.stderr or (arguments[0] == "cam" and "kdzero-gp[cam]" in outcome.stderr)
    assert names(tmp_path) == []


def test_help_draws_nothing() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from kdzero_gp.plot.__main__ import app; "
        "outcome = CliRunner().invoke(app, ['--help']); "
        "print(outcome.exit_code, [name for name in ('matplotlib', 'sklearn') if name in sys.modules], outcome.stdout)"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.startswith("0 []")
    for figure in ("capacity", "curves", "tsne", "correlation", "cam"):
        assert figure in outcome.stdout
