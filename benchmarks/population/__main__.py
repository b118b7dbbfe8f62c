"""Students a second: many trained in one program against the same ones trained one by one.

The digits student with its real teacher, and ResNet-20 on 32x32 images of random pixels with a ResNet-56 of random
weights as teacher, whose outputs are kept: a step takes as long as with real ones. With random distillers, as a search
trains them, and without any. The data of the table are student steps a second; `one by one` is measured in turns
with each program, so it differs by what else the machine did.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Result, Row, Scalar, make_result
from benchmarks.harness.table import report
from benchmarks.overhead.pair import BATCH, make_pair
from benchmarks.population.contest import Effort, Program, contest, distillers_for, programs
from kdzero_gp import Tree
from kdzero_gp.loops.fused.choice import choose_fuse
from kdzero_gp.pair.assemble import make_task
from kdzero_gp.randomness import settled_torch
from kdzero_gp.run.config import make_config
from kdzero_gp.tasks.task import Task

RESNET_TARGET, DIGITS_TARGET, AUTO_TARGET = 6.0, 20.0, 0.97
QUICK = Effort(rounds=1, steps=1)
AUTO_FACTOR = 3
"""What `auto` chooses is measured that much longer: a claim rests on it."""
QUICK_DIGITS = 256

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Contender:
    """One pair, and how long it is measured."""

    name: str
    task: Task
    effort: Effort


def speed_rows(contender: Contender, trees: Sequence[Tree] | None, most: int) -> list[Row]:
    """Student steps a second at 1, 2, 4 … students in one program."""
    rows: list[Row] = []
    students = 1
    while students <= most:
        contestants = programs(contender.task.device)
        alone, speeds = contest(contender.task, trees, students, contestants, contender.effort)
        rows += [
            {
                "part": contender.name,
                "distillers": "random" if trees else "none",
                "students": students,
                "program": program.name,
                "student steps/s": speed.rate,
                "one by one": alone,
                "times one by one": None if speed.rate is None else speed.rate / alone,
                "GPU memory GB": speed.gigabytes,
                "note": speed.note,
            }
            for program, speed in speeds.items()
        ]
        students *= 2
    return rows


def auto_row(contender: Contender, trees: Sequence[Tree], most: int) -> Row:
    """What `auto` chooses, and how that compares, measured anew; one by one is what it is compared with."""
    started = time.perf_counter()
    choice = choose_fuse(contender.task, most=most)
    seconds = time.perf_counter() - started
    gain: float | None = 1.0
    if choice.way is not None:
        program = Program(choice.way)
        effort = Effort(AUTO_FACTOR * contender.effort.rounds, contender.effort.steps)
        alone, speeds = contest(contender.task, trees, choice.students, [program], effort)
        rate = speeds[program].rate
        gain = None if rate is None else rate / alone
    return {
        "part": "auto",
        "pair": contender.name,
        "students": choice.students,
        "program": choice.way or "one by one",
        "times one by one": gain,
        "seconds to choose": seconds,
        "reason": [choice.reason],
    }


def claims(rows: Sequence[Row], device: str, names: tuple[str, str]) -> list[Claim]:
    """The targets; those of another kind of device are not measured."""
    gpu = device.startswith("cuda")

    def best(name: str) -> float | None:
        some = [row["times one by one"] for row in rows if row["part"] == name and row.get("distillers") == "random"]
        return max((float(str(gain)) for gain in some if gain is not None), default=None) if gpu else None

    gains = [row["times one by one"] for row in rows if row["part"] == "auto"]
    worst = None if gpu or None in gains else min(float(str(gain)) for gain in gains)
    targets = zip(names, (DIGITS_TARGET, RESNET_TARGET), strict=True)
    return [
        *(
            Claim.at_least(f"{name}: best program over one by one, GPU", best(name), goal, "×")
            for name, goal in targets
        ),
        Claim.at_least("auto's choice over one by one, the worse pair, CPU", worst, AUTO_TARGET, "×"),
    ]


def measure(most: int, seed: int, device: str, quick: bool) -> Result:
    """The whole benchmark."""
    gpu = device.startswith("cuda")
    digits = make_task(make_config(seed=seed, device=device, limit=QUICK_DIGITS if quick else None))
    names = ("resnet14", "resnet8") if quick else ("resnet56", "resnet20")
    photographs = make_pair(BATCH if quick else 4 * BATCH, None, device, names=names)
    contenders = (
        Contender("cnn2 on digits", digits, QUICK if quick else Effort(7, 3)),
        Contender(f"{names[1]} on 32x32", photographs, QUICK if quick else Effort(7, 5) if gpu else Effort(1, 1)),
    )
    rows: list[Row] = []
    for contender in contenders:
        trees = distillers_for(contender.task, seed)
        for some in (trees, None):
            rows += speed_rows(contender, some, most)
        rows.append(auto_row(contender, trees, most))
    options: dict[str, Scalar] = {"most": most, "seed": seed, "device": device}
    found = claims(rows, device, (contenders[0].name, contenders[1].name))
    return make_result("population", options, seeds=[seed], rows=rows, claims=found, device=device)


@app.command()
def main(
    most: Annotated[int, typer.Option(min=2, help="Greatest number of students in one program.")] = 32,
    seed: Annotated[int, typer.Option(help="Of the distillers.")] = 0,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    quick: Annotated[bool, typer.Option("--quick", help="A small pair and few students.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, otherwise benchmarks/results/population.json.")] = None,
) -> None:
    """Time students in one program."""
    if quick:
        most = 2
    with settled_torch(1, device):
        result = measure(most, seed, device, quick)
    report(result, out or (None if quick else RESULTS / "population.json"))


if __name__ == "__main__":
    app()
