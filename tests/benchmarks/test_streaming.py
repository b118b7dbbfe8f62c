"""The streaming benchmark runs, and both ways serve the same pixels."""

from pathlib import Path

import torch
from typer.testing import CliRunner

from benchmarks import streaming
from benchmarks.harness.result import read_result
from kdzero_gp.data import StreamedBatches, load_dataset, named_augmentation


def test_a_quick_run_writes_a_result(tmp_path: Path) -> None:
    out = tmp_path / "streaming.json"
    assert CliRunner().invoke(streaming.app, ["--quick", "--out", str(out)]).exit_code == 0
    result = read_result(out)
    assert [(row["decoded by"], row["workers"]) for row in result.rows] == [
        (way, workers) for way in streaming.WAYS for workers in (1, 2)
    ]
    assert all(len(row["each"]) == 1 for row in result.rows)
    assert len(result.claims) == 2


def test_both_ways_decode_the_same_pixels(tmp_path: Path) -> None:
    streaming.make_pictures(tmp_path / "pictures", 8, seed=0)
    data = load_dataset(f"imagenet:{tmp_path / 'pictures'}@32")
    augmentation = named_augmentation("crop-flip", data, views=1)
    request = (torch.tensor([3, 0]), 2)
    theirs = streaming.Decoded(data.train.images, augmentation)[request]
    assert theirs.shape == (2, 32, 32, 3)
    assert torch.equal(theirs, StreamedBatches(data, data.train, augmentation)._loader(*request))
