"""The table as text, CSV, JSON and plot, of rows made by hand."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.compare.entries import make_entries
from kdzero_gp.compare.plot import write_plot
from kdzero_gp.compare.report import Facts, csv_of, json_of, p_text, reason, text_of
from kdzero_gp.compare.statistics import Row, make_rows

STAGES = ("stage1", "stage2", "stage3")


@pytest.fixture
def rows(result: Any) -> list[Row]:
    entries = make_entries(["none", "kd", "at", "mine=weight(1, kl(logits, 2))"], STAGES)
    given = {"none": [0.6, 0.62], "kd": [0.7, 0.703], "at": [None, None], "mine": [0.71, 0.72]}
    return make_rows(entries, {e.key: [result(a) for a in given[e.label]] for e in entries}, {})[0]


@pytest.fixture
def facts() -> Facts:
    return Facts("a -> b on c", 3, 2, 1234, 0.725, "kd", {"seed": 0}, "2025-01-02T03:04:05+00:00", "a machine", {})


def test_the_text_names_n_the_baseline_and_the_failures(rows: list[Row], facts: Facts) -> None:
    text = text_of(rows, facts)
    assert "a -> b on c: test accuracy of the last of 3 epochs, 2 seeds" in text
    assert "61.00 ± 1.41" in text
    assert "+9.15" in text, "gain of kd: 70.15 - 61.00"
    assert "at (2 of 2 failed)" in text
    assert "failed: at, seed 1: DivergedError: the loss is nan" in text
    assert "against kd, the best hand-designed method, n = 0-2 pairs" in text
    assert "Holm: corrected for 2 tests" in text
    assert "student of 1,234 parameters; teacher 72.50 %" in text
    assert "a machine; 2025-01-02" in text


def test_the_csv_leaves_empty_what_is_not_known(rows: list[Row]) -> None:
    lines = {line["method"]: line for line in csv.DictReader(io.StringIO(csv_of(rows, 2)))}
    assert lines["kd"]["accuracy_percent"] == "70.15"
    assert lines["kd"]["seed_1_percent"] == "70.3"
    assert lines["at"]["accuracy_percent"] == lines["at"]["seed_0_percent"] == ""
    assert (lines["at"]["failed"], lines["kd"]["failed"], lines["none"]["gain_points"]) == ("2", "0", "")
    assert lines["mine"]["formula"] == "weight(1, kl(logits, 2))"


def test_the_json_holds_everything(rows: list[Row], facts: Facts) -> None:
    record = json.loads(json_of(rows, facts))
    assert record["baseline"] == "kd"
    failed = next(row for row in record["rows"] if row["label"] == "at")
    assert failed["accuracy"] == [None, None]
    assert list(failed["errors"]) == ["0", "1"]
    assert failed["errors"]["0"].startswith("Traceback")


def test_the_plot_is_a_drawing_the_same_every_time(rows: list[Row], tmp_path: Path) -> None:
    write_plot(tmp_path, rows, title="a -> b on $c$ & <d>", epochs=3, seeds=2)
    first = [(tmp_path / name).read_bytes() for name in ("table.svg", "table.png")]
    write_plot(tmp_path, rows, title="a -> b on $c$ & <d>", epochs=3, seeds=2)
    assert first == [(tmp_path / name).read_bytes() for name in ("table.svg", "table.png")]
    words = "".join(ElementTree.fromstring(first[0]).itertext())
    assert "a -> b on $c$ & <d>" in words
    assert "mine" in words
    assert "at\n" not in words, "a method without any result has no place in it"


def test_without_any_result_there_is_no_plot(result: Any, tmp_path: Path) -> None:
    entries = make_entries(["kd"], STAGES)
    rows, _ = make_rows(entries, {entries[0].key: [result(None)]}, {})
    write_plot(tmp_path, rows, title="x", epochs=1, seeds=1)
    assert not list(tmp_path.iterdir())


def test_small_things() -> None:
    assert [p_text(p) for p in (None, 0.0004, 0.0456, 1.0)] == ["-", "<0.001", "0.046", "1.000"]
    assert reason("Traceback\n  x\nValueError: \x1b[31mno\n\n") == "ValueError: ?[31mno"
    assert reason("") == "unknown"
    assert len(reason("x" * 500)) == 160
