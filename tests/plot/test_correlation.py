"""Correlations of class scores: numpy's numbers, and the file."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from kdzero_gp.plot.correlation import Correlations, correlation_figure, logit_correlation
from kdzero_gp.plot.networks import Pair


def test_it_is_pearsons_correlation() -> None:
    logits = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)) * 3 + 7
    np.testing.assert_allclose(logit_correlation(logits), np.corrcoef(logits.double().numpy().T), atol=1e-12)


def test_a_constant_score_goes_with_none() -> None:
    logits = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    logits[:, 1] = 4.0
    found = logit_correlation(logits)
    assert found[1].tolist() == [0, 1, 0]
    assert found[0, 2] != 0


def test_the_distance_leaves_the_diagonal_out() -> None:
    teacher, student = np.eye(3), np.eye(3)
    student[0, 1] = student[1, 0] = 0.3
    data = Correlations("t", teacher, {"s": student})
    assert data.distance("s") == pytest.approx(2 * 0.3 / 6)


def test_the_figure_of_real_trainings(texts: list[str], pair: Pair, tmp_path: Path) -> None:
    written = correlation_figure(texts, out=tmp_path / "1")
    rows = list(csv.DictReader(written.csv.read_text().splitlines()))
    names = list(dict.fromkeys(row["student"] for row in rows))
    assert [name.partition(" (")[0] for name in names] == ["student alone", "kd", "evolved"]
    assert len(rows) == 3 * 100
    teacher = np.corrcoef(pair.teacher.test["logits"].double().numpy().T)
    kd = np.corrcoef(pair.students[1].test["logits"].double().numpy().T)
    own = [row for row in rows if row["student"] == names[1]]
    for row in own[:37]:
        place = int(row["class"]), int(row["other_class"])
        assert float(row["difference"]) == pytest.approx(teacher[place] - kd[place], abs=1e-5)
    mean = np.abs(teacher - kd)[~np.eye(10, dtype=bool)].mean()
    assert f"mean |Δ| = {mean:.3f}" in written.svg.read_text()
    again = correlation_figure(texts, out=tmp_path / "2")
    for ending in ("svg", "png", "csv"):
        assert getattr(written, ending).read_bytes() == getattr(again, ending).read_bytes()
