"""The file of CIFAR-100's images that `--data` names, and a tiny stand-in for `--quick`."""

from pathlib import Path

import numpy as np

DATA_HELP = (
    "npz:FILE with x, uint8 (N, 32, 32, 3), and y, int64 (N,), of CIFAR-100's training images in random order, and the "
    "test images in x_test and y_test, which are not looked at. Out of the Python version of the data set "
    "(https://www.cs.toronto.edu/~kriz/cifar.html), each file a pickled dictionary d: "
    "x = d[b'data'].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), y = np.array(d[b'fine_labels']), "
    "np.savez(FILE, x=x, y=y, x_test=…, y_test=…)."
)


def small_data(path: Path) -> str:
    """A data set of noisy stripes in three classes, for `--quick`."""
    random = np.random.default_rng(0)
    labels = np.arange(240) % 3
    waves = np.sin(np.arange(8)[None, :] * (labels[:, None] + 1))
    images = 128 + 60 * waves[:, :, None, None] + random.normal(0, 30, (240, 8, 8, 3))
    np.savez(path, x=images.clip(0, 255).astype(np.uint8), y=labels.astype(np.int64))
    return f"npz:{path}"
