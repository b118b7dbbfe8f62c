"""t-SNE: clusters stay clusters, the same seed gives the same layout, the file holds every image."""

import csv
from pathlib import Path

import numpy as np
import pytest

from kdzero_gp.errors import ConfigError
from kdzero_gp.plot.embedding import lay_out, separation, tsne_figure
from kdzero_gp.plot.networks import Pair


def test_clusters_stay_clusters() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 15)
    features = random.normal(size=(45, 6)) + 30 * np.eye(6)[labels]
    places = lay_out(features, seed=0)
    assert places.shape == (45, 2)
    for place, label in zip(places, labels, strict=True):
        nearest = np.argsort(((places - place) ** 2).sum(1))[1:4]
        assert (labels[nearest] == label).all()
    assert (lay_out(features, seed=0) == places).all()


def test_separation_by_hand() -> None:
    features = np.array([[0.0], [1.0], [10.0], [12.0]])
    labels = np.array([0, 0, 1, 1])
    # of each: distance to the other of its class, and the mean distance to the other class
    within, between = [1, 1, 2, 2], [(10 + 12) / 2, (9 + 11) / 2, (10 + 9) / 2, (12 + 11) / 2]
    wanted = np.mean([(b - a) / max(a, b) for a, b in zip(within, between, strict=True)])
    assert separation(features, labels) == pytest.approx(wanted)
    assert separation(features, np.array([0, 1, 2, 3])) == 0
    assert separation(features, np.zeros(4, dtype=int)) == 0


def test_the_figure_of_real_trainings(texts: list[str], pair: Pair, tmp_path: Path) -> None:
    one, other = (tsne_figure(texts[:2], out=tmp_path / name, images=40, classes=4) for name in "12")
    rows = list(csv.DictReader(one.csv.read_text().splitlines()))
    networks = list(dict.fromkeys(row["network"].partition(" (")[0] for row in rows))
    assert networks == ["student alone", "kd", "teacher"]
    assert len(rows) == 3 * 40
    labels = pair.task.targets("test")
    for row in rows:
        assert int(row["class"]) == int(labels[int(row["test_image"])]) < 4
    for ending in ("svg", "png", "csv"):
        assert getattr(one, ending).read_bytes() == getattr(other, ending).read_bytes()


def test_numbers_out_of_range(texts: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--images is 9, but must be at least 10"):
        tsne_figure(texts, out=tmp_path, images=9)
    for classes in (1, 11):
        with pytest.raises(ConfigError, match=f"--classes is {classes}, but must be 2 to 10"):
            tsne_figure(texts, out=tmp_path, classes=classes)
