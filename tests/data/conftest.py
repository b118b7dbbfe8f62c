"""Tiny folders of images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WritePictures = Callable[..., Path]


@pytest.fixture
def write_pictures(tmp_path: Path) -> WritePictures:
    """Writes `count` pictures of noise into each of some class folders below a folder of the test's own."""

    def write(
        *folders: str, count: int = 4, size: tuple[int, int] | None = (9, 8), mode: str = "RGB", seed: int = 0
    ) -> Path:
        random = np.random.RandomState(seed)
        for folder in folders:
            (tmp_path / "set" / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                height, width = size or random.randint(20, 40, 2)
                shape = (height, width) if mode == "L" else (height, width, 3)
                pixels = random.randint(0, 256, shape).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "set" / folder / f"{number}.png")
        return tmp_path / "set"

    return write
