"""How many images a second are decoded, cropped and normalised: by this project's threads, and by torch's processes.

Photographs of the usual ImageNet size are made up: coarse colours with noise on top, so that JPEG has its usual work.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Result, Row, make_result
from benchmarks.harness.table import report
from kdzero_gp.data import Augmentation, Dataset, StreamedBatches, load_dataset, named_augmentation
from kdzero_gp.data.batches.loader import AHEAD, Request
from kdzero_gp.data.sources.files import ImageFiles

SIZE = (375, 500)
WAYS = ("threads", "processes")
QUICK_FILES, QUICK_STEPS, QUICK_BATCH = 24, 3, 8

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Decoded(TorchDataset[Tensor]):
    """The same decoding for torch's loader: a batch of pixels (B, H, W, C) for numbers and a view."""

    def __init__(self, files: ImageFiles, augmentation: Augmentation) -> None:
        self.files, self.augmentation = files, augmentation

    def __getitem__(self, request: Request) -> Tensor:
        numbers, view = request
        crops = (self.augmentation.crop(view or 0, number) for number in numbers.tolist())
        return torch.from_numpy(
            np.stack([self.files.decode(n, crop) for n, crop in zip(numbers.tolist(), crops, strict=True)])
        )


def make_pictures(root: Path, count: int, seed: int) -> None:
    """Writes `count` JPEGs into each of two classes for training, and four for testing."""
    random = np.random.RandomState(seed)
    for folder, number in (("train", count // 2), ("val", 2)):
        for name in ("one", "two"):
            (root / folder / name).mkdir(parents=True)
            for index in range(number):
                coarse = Image.fromarray(random.randint(0, 256, (24, 32, 3)).astype(np.uint8))
                smooth = np.asarray(coarse.resize(SIZE[::-1], Image.Resampling.BICUBIC), np.int64)
                pixels = (smooth + random.randint(-12, 13, smooth.shape)).clip(0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(root / folder / name / f"{index}.jpg", quality=88)


def by_threads(data: Dataset, augmentation: Augmentation, order: Sequence[Request], workers: int) -> Iterator[None]:
    """Serves one batch after another."""
    batches = StreamedBatches(data, data.train, augmentation, threads=workers)
    batches.follow(order)
    for request in order:
        batches(*request)
        yield


def by_processes(data: Dataset, augmentation: Augmentation, order: Sequence[Request], workers: int) -> Iterator[None]:
    """The same batches; what follows the decoding is the same, too."""
    files = data.train.images
    if not isinstance(files, ImageFiles):
        raise TypeError("the data are not streamed")
    loader = DataLoader(
        Decoded(files, augmentation),
        sampler=order,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=max(1, AHEAD // workers),
    )
    views = StreamedBatches(data, data.train, augmentation, threads=1)._views
    for (numbers, view), pixels in zip(order, loader, strict=True):
        views(views.bordered(pixels), torch.arange(len(pixels)), numbers, view)
        yield


def seconds(steps: Iterator[None]) -> float:
    """From the first batch, by when all workers are there, to the last."""
    next(steps)
    started = time.perf_counter()
    for _ in steps:
        pass
    return time.perf_counter() - started


def measure(files: int, steps: int, batch: int, rounds: int, seed: int) -> Result:
    """The whole benchmark; ways and numbers of workers take turns, so that a busy machine is unfair to none."""
    serve: dict[str, Callable[..., Iterator[None]]] = {"threads": by_threads, "processes": by_processes}
    generator = torch.Generator().manual_seed(seed)
    rates: dict[tuple[str, int], list[float]] = {(way, workers): [] for way in WAYS for workers in (1, 2)}
    with tempfile.TemporaryDirectory() as folder:
        make_pictures(Path(folder) / "pictures", files, seed)
        data = load_dataset(f"imagenet:{folder}/pictures")
        augmentation = named_augmentation("crop-flip", data, views=1)
        order = [(torch.randperm(len(data.train), generator=generator)[:batch], step) for step in range(steps)]
        for _ in range(rounds):
            for (way, workers), found in rates.items():
                images = sum(len(numbers) for numbers, _ in order[1:])
                found.append(images / seconds(serve[way](data, augmentation, order, workers)))
    rows: list[Row] = [
        {
            "part": "streaming",
            "decoded by": way,
            "workers": workers,
            "images/s": statistics.median(found),
            "best": max(found),
            "each": found,
        }
        for (way, workers), found in rates.items()
    ]
    claims = [
        Claim.at_least(
            f"images per second of {workers} threads, in units of as many processes",
            statistics.median(rates["threads", workers]) / statistics.median(rates["processes", workers]),
            0.9,
            "",
        )
        for workers in (1, 2)
    ]
    options = {"files": files, "steps": steps, "batch": batch, "rounds": rounds, "seed": seed}
    return make_result("streaming", options, seeds=[seed], rows=rows, claims=claims)


@app.command()
def main(
    files: Annotated[int, typer.Option(min=16, help="Photographs.")] = 400,
    steps: Annotated[int, typer.Option(min=2, help="Batches of one measurement; the first is not counted.")] = 9,
    batch: Annotated[int, typer.Option(min=2, help="Images of a batch.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each way.")] = 7,
    seed: Annotated[int, typer.Option(help="Of the pictures and of their order.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few images; writes only where --out says.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/streaming.json.")] = None,
) -> None:
    """Measure the decoding of streamed images."""
    torch.set_num_threads(1)
    if quick:
        files, steps, batch, rounds = QUICK_FILES, QUICK_STEPS, QUICK_BATCH, 1
    report(measure(files, steps, batch, rounds, seed), out or (None if quick else RESULTS / "streaming.json"))


if __name__ == "__main__":
    app()
