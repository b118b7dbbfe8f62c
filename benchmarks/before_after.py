"""A default run on the digits, of this checkout and of an older one: seconds, and what was found.

The older checkout runs as it was, in its own process, with the same interpreter; both train the same number of
candidates with the same run seeds, in turn.
"""

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.harness.checkout import RESULTS, ROOT
from benchmarks.harness.result import Claim, Row, Scalar, make_result
from benchmarks.harness.table import report

ROWS = {"student alone": "student alone", "KD": "kd", "random search": "random search", "evolved": "evolved 1"}
QUICK = ["--pop", "2", "--gens", "0", "--epochs", "1", "--final-seeds", "2", "--leader-seeds", "1", "--workers", "1"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def run(checkout: Path, seed: int, options: Sequence[str]) -> dict[str, Scalar]:
    """One run of a checkout: seconds, start of the program included, where they went, mean test accuracies in %."""
    with tempfile.TemporaryDirectory(prefix="kdzero-gp-before-after-") as folder:
        command = [sys.executable, "-m", "kdzero_gp.run", "--seed", str(seed), "--json", "--quiet", *options]
        started = time.perf_counter()
        done = subprocess.run(
            [*command, "--run-dir", str(Path(folder) / "run")],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise RuntimeError(f"the run in {checkout} failed:\n{done.stderr[-2000:]}")
        spent = profile(Path(folder) / "run" / "run.sqlite")
    table: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])["table"]
    means = {row["name"]: row["mean"] for row in table}
    accuracies = {name: 100 * means[own] if means.get(own) is not None else None for name, own in ROWS.items()}
    return {"seconds": round(seconds, 1), **spent, **accuracies}


def profile(database: Path) -> dict[str, Scalar]:
    """Where the time of a run went, from tables that both versions write alike."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        stats = connection.execute("SELECT arm, stats FROM generations").fetchall()
        trained = connection.execute("SELECT seconds, steps FROM evaluations WHERE status = 'ok'").fetchall()
        full = connection.execute("SELECT value FROM results WHERE name LIKE 'full/%'").fetchall()
    by_arm = {
        arm: round(sum(float(json.loads(text)["seconds"]) for own, text in stats if own == arm), 1)
        for arm in ("evolve", "random")
    }
    return {
        "evolution, s": by_arm["evolve"],
        "random search, s": by_arm["random"],
        "full trainings, s of workers": round(sum(float(json.loads(value)["seconds"]) for (value,) in full), 1),
        "proxy steps": sum(int(steps) for _, steps in trained),
        "ms of a worker per proxy step": round(
            1000 * sum(s for s, _ in trained) / max(1, sum(n for _, n in trained)), 2
        ),
    }


def commit(checkout: Path) -> str:
    """The commit that is checked out there."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=False)
    return done.stdout.strip()[:10] or "unknown"


def summary(rows: Sequence[Row]) -> tuple[Row, list[Claim]]:
    """The ratio of the median seconds, and the difference of the evolved distillers' mean accuracy."""
    seconds, evolved = (
        {
            which: [float(str(row[column])) for row in rows if row["checkout"] == which and row[column] is not None]
            for which in ("before", "after")
        }
        for column in ("seconds", "evolved")
    )
    ratio = statistics.median(seconds["before"]) / statistics.median(seconds["after"])
    gain = statistics.fmean(evolved["after"]) - statistics.fmean(evolved["before"])
    return (
        {"part": "summary", "times faster": round(ratio, 2), "evolved, points more than before": round(gain, 2)},
        [
            Claim.at_least("a default run on the digits is faster than before by", ratio, 1.0, "×"),
            Claim.at_least("test accuracy of the evolved distiller, difference to before, mean", gain, -0.2, "points"),
        ],
    )


@app.command()
def main(
    before: Annotated[Path, typer.Option(help="A checkout of the version to compare with.")],
    seeds: Annotated[int, typer.Option(min=1, help="Run seeds: 0, 1, …")] = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny runs, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/before_after.json.")
    ] = None,
) -> None:
    """Compare a default run on the digits with that of an older checkout."""
    checkouts = {"before": before.resolve(), "after": ROOT}
    rows: list[Row] = []
    for seed in range(seeds):
        for which, checkout in checkouts.items():
            found = run(checkout, seed, QUICK if quick else [])
            rows.append({"part": "runs", "checkout": which, "commit": commit(checkout), "seed": seed, **found})
    own, claims = summary(rows)
    described: dict[str, Scalar] = {"before": commit(checkouts["before"]), "seeds": seeds, "quick": quick}
    result = make_result("before_after", described, seeds=range(seeds), rows=[own, *rows], claims=claims)
    report(result, out or (None if quick else RESULTS / "before_after.json"))


if __name__ == "__main__":
    app()
