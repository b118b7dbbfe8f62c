"""Images that are streamed from files go back to the training images as those in memory do."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdzero_gp.data import image_batches, load_dataset
from kdzero_gp.data.sources.all_images import on_all_images


@pytest.mark.parametrize("layout", ["one folder", "validation set apart"])
def test_streamed_images(tmp_path: Path, layout: str) -> None:
    random = np.random.RandomState(0)
    folders = {"train": 12, "test": 3} | ({"val": 4} if layout == "validation set apart" else {})
    for folder, count in folders.items():
        for label in ("cat", "dog"):
            (tmp_path / folder / label).mkdir(parents=True)
            for number in range(count):
                size = 12 + number % 3  # of several sizes: they are resized, and so streamed
                pixels = random.randint(0, 256, (size, size, 3), np.uint8)
                Image.fromarray(pixels).save(tmp_path / folder / label / f"{number}.png")
    data = load_dataset(f"folder:{tmp_path}")
    assert data.streamed
    whole = on_all_images(data)
    assert len(whole.train) == len(data.train) + len(data.val)
    assert torch.equal(whole.train.images[:], torch.cat([data.train.images[:], data.val.images[:]]))
    assert torch.equal(whole.train.labels, torch.cat([data.train.labels, data.val.labels]))
    last = len(whole.train) - 1
    served = image_batches(whole, whole.train)(torch.tensor([last]))
    torch.testing.assert_close(served, data.normalise(data.val.images[len(data.val) - 1 :]))
