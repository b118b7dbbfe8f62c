"""What the final training costs: time per epoch and peak memory beside a bare cross-entropy loop in plain PyTorch.

Every measurement is made in a process of its own, so that its peak is its own; rounds of all ways are interleaved, so
that what else the machine does hits all alike. Ratios are of processor time, which a busy machine spoils less than wall
time. The first epoch of a process is not counted: it pays for caches, for the choice of algorithms and for the
teacher's outputs, where they are kept.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.harness.checkout import RESULTS, ROOT
from benchmarks.harness.result import Claim, Row, Scalar, make_result
from benchmarks.harness.table import report
from benchmarks.overhead.pair import QUICK_PAIR, STUDENT, TEACHER
from benchmarks.train_cost.ways import BARE, BATCH, ONLINE, WAYS, measure

TIME, MEMORY = 1.15, 1.5

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
