"""Whole runs on data that are not in memory, and what the command says of data that cannot be used."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kdzero_gp.store import RunStore


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """96 JPEGs of different sizes, bright ones and dark ones."""
    random = np.random.RandomState(0)
    for name, low in (("bright", 120), ("dark", 0)):
        folder = tmp_path / "pictures" / "train" / name
        folder.mkdir(parents=True)
        for number in range(48):
            pixels = random.randint(low, low + 130, (*random.randint(20, 30, 2), 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
    return tmp_path / "pictures"


def test_a_run_on_streamed_images_repeats_itself(
    invoke: Any, tiny: Any, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = (*tiny, "--gens", "0", "--rungs", "1", "--batch-size", "8", "--limit", "32", "--no-baselines")
    options = (*short, "--data", f"folder:{pictures}@16", "--augment", "strong")
    found = []
    for name, decoders in (("one", "1"), ("two", "3")):
        monkeypatch.setenv("KDZERO_GP_DECODERS", decoders)
        outcome = invoke(*options, "--run-dir", tmp_path / name)
        assert (outcome.code, outcome.err) == (0, "")
        with RunStore.read(tmp_path / name) as store:
            found.append([evaluation.fitness for _, evaluation in store.evaluations()])
    assert found[0] == found[1]
    assert any(fitness is not None for fitness in found[0])


def test_data_that_cannot_be_used_are_named(invoke: Any, tiny: Any, tmp_path: Path, pictures: Path) -> None:
    for data, message in (
        (f"folder:{tmp_path / 'nowhere'}", f"error: there is no folder {tmp_path / 'nowhere'}"),
        (f"imagenet:{pictures}", "has no folder val; sort ImageNet's validation images"),
        (str(pictures), f"It is the path of a folder: write folder:{pictures}"),
        ("cifar", "Did you mean 'cifar10'?"),
    ):
        outcome = invoke(*tiny, "--data", data, "--run-dir", tmp_path / "none")
        assert outcome.code == 2
        assert message in outcome.err
        assert not (tmp_path / "none").exists()
