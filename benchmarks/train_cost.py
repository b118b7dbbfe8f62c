"""What the final training costs: time per epoch and peak memory beside a bare cross-entropy loop in plain PyTorch.

Every measurement is made in a process of its own, so that its peak is its own; rounds of all ways are interleaved, so
that what else the machine does hits all alike. Ratios are of processor time, which a busy machine spoils less than wall
time. The first epoch of a process is not counted: it pays for caches, for the choice of algorithms and for the
teacher's outputs, where they are kept.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import nn
from torch.nn import functional as F

from benchmarks.overhead_pair import CLASSES, CROP_AND_FLIP, STUDENT, TEACHER, make_images
from benchmarks.result import RESULTS, ROOT, Claim, Row, Scalar, make_result
from benchmarks.table import report
from kdzero_gp.models import build

FEATURES = "add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(norm_n(scale_r2(catt(stage2)))))))"
WAYS = {
    "bare PyTorch": None,
    "train, none": "none",
    "train, kd": "kd",
    "train, logits and features": FEATURES,
    "train, kd, augmented, teacher in every step": "kd",
}
"""What is measured, by name, and its distiller."""
ONLINE = "train, kd, augmented, teacher in every step"
BARE = "bare PyTorch"
QUICK_PAIR = ("cnn4", "cnn2")
TIME, MEMORY = 1.15, 1.5
BATCH, LR, MOMENTUM, DECAY = 64, 0.05, 0.9, 5e-4
MIB = 2**20

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Clock:
    """Wall and processor seconds of each epoch: of all the process' threads."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []
        self._begin()

    def epoch(self) -> None:
        """An epoch is over, and the next begins."""
        self.wall.append(time.perf_counter() - self._wall)
        self.processor.append(time.process_time() - self._processor)
        self._begin()

    def _begin(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()


def bare_epochs(student: nn.Module, images: int, epochs: int) -> Clock:
    """A loop as everybody writes it."""
    data = make_images(images)
    mean, std = (torch.tensor(value).view(1, -1, 1, 1) for value in (data.mean, data.std))
    optimiser = torch.optim.SGD(student.parameters(), lr=LR, momentum=MOMENTUM, weight_decay=DECAY)
    pixels, labels = data.train.images[:], data.train.labels
    student.train()
    clock = Clock()
    for _ in range(epochs):
        for batch in torch.randperm(images).split(BATCH)[: images // BATCH]:
            loss = F.cross_entropy(student((pixels[batch] / 255 - mean) / std), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        clock.epoch()
    return clock


def trained_epochs(distiller: str, names: Sequence[str], images: int, epochs: int, *, online: bool) -> Clock:
    """The same of this program's final training, its checkpoints included."""
    from kdzero_gp.catalog.named import named_distiller
    from kdzero_gp.data import NO_AUGMENTATION
    from kdzero_gp.fit import EpochLog, fit
    from kdzero_gp.fit.record import Silent
    from kdzero_gp.tasks.recipe import Recipe
    from kdzero_gp.tasks.task import Task

    recipe = Recipe(epochs, BATCH, LR, MOMENTUM, nesterov=False, weight_decay=DECAY)
    task = Task(
        " -> ".join(names),
        build(names[0], num_classes=CLASSES),
        partial(build, names[1], num_classes=CLASSES),
        make_images(images),
        recipe=recipe,
        proxy=recipe,
        augment=CROP_AND_FLIP if online else NO_AUGMENTATION,
        cache_gb=0.0 if online else 4.0,
    )
    named = named_distiller(distiller, task.student_taps.stages)
    clock = Clock()

    class Timing(Silent):
        def epoch_done(self, log: EpochLog) -> None:
            clock.epoch()

    with tempfile.TemporaryDirectory() as folder:
        fit(task, named, recipe, folder=folder, validate=False, observer=Timing())
    return clock


def measure(way: str, names: Sequence[str], images: int, epochs: int, threads: int) -> Row:
    """One way in this process, which is to be fresh: median seconds of an epoch and the peak of resident memory."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    before = peak()
    distiller = WAYS[way]
    if distiller is None:
        clock = bare_epochs(build(names[1], num_classes=CLASSES), images, epochs)
    else:
        clock = trained_epochs(distiller, names, images, epochs, online=way == ONLINE)
    wall, processor = (statistics.median(taken[1:]) for taken in (clock.wall, clock.processor))
    return {"wall": wall, "processor": processor, "peak MiB": peak(), "imports MiB": before}


def peak() -> float:
    """The most memory that this process has had resident so far, in MiB."""
    kib = 1 if sys.platform == "darwin" else 1024  # Darwin counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kib / MIB


def in_a_process(way: str, names: Sequence[str], images: int, epochs: int, threads: int) -> Row:
    """`measure` in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.train_cost", "--way", way, "--pair", ",".join(names)]
    sizes = ["--images", str(images), "--epochs", str(epochs), "--threads", str(threads)]
    done = subprocess.run([*command, *sizes], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{way} failed:\n{done.stderr}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def summary(measured: dict[str, list[Row]], names: Sequence[str], images: int, threads: int) -> list[Row]:
    """One row for each way, the medians of its rounds and their ratios to the bare loop's."""

    def median(way: str, column: str) -> float:
        return statistics.median(float(str(row[column])) for row in measured[way])

    return [
        {
            "way": way,
            "pair": " -> ".join(names),
            "images": images,
            "threads": threads,
            "rounds": len(rows),
            "s per epoch": median(way, "wall"),
            "CPU s": median(way, "processor"),
            "x bare's CPU": median(way, "processor") / median(BARE, "processor"),
            "peak MiB": median(way, "peak MiB"),
            "x bare's peak": median(way, "peak MiB") / median(BARE, "peak MiB"),
            "of it imports MiB": median(way, "imports MiB"),
        }
        for way, rows in measured.items()
    ]


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Kept teacher outputs make distillation nearly free; the teacher in every step is reported without a target."""
    result = []
    for row in rows:
        if row["way"] in (BARE, ONLINE):
            continue
        about = f"{row['way']}, {row['pair']}"
        result += [
            Claim.at_most(
                f"CPU time of an epoch over the bare loop's, {about}", float(str(row["x bare's CPU"])), TIME, "×"
            ),
            Claim.at_most(f"peak memory over the bare loop's, {about}", float(str(row["x bare's peak"])), MEMORY, "×"),
        ]
    return result


@app.command()
def main(
    images: Annotated[int, typer.Option(min=BATCH, help="Random training images, 32x32.")] = 2000,
    epochs: Annotated[int, typer.Option(min=2, help="Of each process; the first is not counted.")] = 3,
    rounds: Annotated[int, typer.Option(min=1, help="Processes of each way.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Torch threads.")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="A small pair, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/train_cost.json.")
    ] = None,
    way: Annotated[str | None, typer.Option(help="Measure this way alone, in this process.", hidden=True)] = None,
    pair: Annotated[str, typer.Option(help="Of --way.", hidden=True)] = "",
) -> None:
    """Measure the final training beside a bare loop."""
    if way is not None:
        typer.echo(json.dumps(measure(way, pair.split(","), images, epochs, threads)))
        return
    if quick:
        images, epochs, rounds = 2 * BATCH, 2, 1
    names = QUICK_PAIR if quick else (TEACHER, STUDENT)
    measured: dict[str, list[Row]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, rows in measured.items():
            rows.append(in_a_process(name, names, images, epochs, threads))
    table = summary(measured, names, images, threads)
    options: dict[str, Scalar] = {"images": images, "epochs": epochs, "rounds": rounds, "threads": threads}
    result = make_result("train_cost", options | {"quick": quick}, seeds=[0], rows=table, claims=claims(table))
    report(result, out or (None if quick else RESULTS / "train_cost.json"))


if __name__ == "__main__":
    app()
