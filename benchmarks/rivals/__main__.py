"""Evolution, random trees and the tuned catalogue with equal budgets, over run seeds of the glyphs pair.

Each arm trains as many candidates by proxy; the best few are trained in full twice on the validation split, and the
best of them three times with fresh seeds and tested. Published methods, untuned, are trained once for all run seeds.
What is done stands in the result file, and a later call with more seeds goes on from there.
"""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Row, make_result, read_result
from benchmarks.harness.table import report
from benchmarks.rivals.arms import ALONE, ARMS, EVOLUTION, RANDOM, TUNED, Winner, one_seed
from kdzero_gp.evolve.final import paired_test

LEAD = "evolution's lead, points"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def arm_rows(won: Mapping[int, Mapping[str, Winner]]) -> list[Row]:
    """One row per arm, over the run seeds, with evolution's paired lead over it; then the published methods."""
    names = list(dict.fromkeys(name for by_name in won.values() for name in by_name))
    rows: list[Row] = []
    for name in names:
        own = {seed: by_name[name] for seed, by_name in won.items() if name in by_name}
        pairs = [(won[seed][EVOLUTION].accuracy, winner.accuracy) for seed, winner in own.items()]
        accuracies = [winner.accuracy for winner in own.values()]
        compared = name in (ALONE, *ARMS) and name != EVOLUTION
        rows.append(
            {
                "part": "arms" if name in (ALONE, *ARMS) else "published",
                "arm": name,
                "run seeds": len(own),
                "test %": statistics.fmean(accuracies),
                "sd": statistics.stdev(accuracies) if len(own) > 1 else None,
                LEAD: statistics.fmean(a - b for a, b in pairs) if compared else None,
                "evolution ahead in": sum(a > b for a, b in pairs) if compared else None,
                "p": paired_test(pairs) if compared and len(pairs) > 1 else None,
            }
        )
    return rows


def winner_rows(won: Mapping[int, Mapping[str, Winner]]) -> list[Row]:
    """Every winner."""
    return [
        {
            "part": "winners",
            "seed": seed,
            "arm": name,
            "tree": winner.tree,
            "proxy": winner.proxy,
            "steps": winner.steps,
            "accuracy": winner.accuracy,
        }
        for seed, by_name in won.items()
        for name, winner in by_name.items()
    ]


def read_winners(path: Path) -> dict[int, dict[str, Winner]]:
    """The winners of a result file; none where there is no file."""
    won: dict[int, dict[str, Winner]] = {}
    for row in read_result(path).part("winners") if path.exists() else ():
        values: dict[str, Any] = dict(row)
        seed, name = int(values["seed"]), str(values["arm"])
        won.setdefault(seed, {})[name] = Winner(*(values[field] for field in ("tree", "proxy", "steps", "accuracy")))
    return won


def claims(rows: Sequence[Row]) -> list[Claim]:
    """That evolution beats random trees and the tuned catalogue."""
    found = []
    for arm, points, p_value in ((RANDOM, 1.0, 0.01), (TUNED, 0.5, 0.05)):
        row: dict[str, Any] = dict(next(row for row in rows if row["arm"] == arm))
        found.append(Claim.at_least(f"evolution over {arm}, points of test accuracy", row[LEAD], points, "points"))
        found.append(Claim.at_most(f"p of that difference ({arm}), paired over run seeds", row["p"], p_value, ""))
    return found


@app.command()
def main(
    data: Annotated[str, typer.Option(help="Data set.")] = "glyphs",
    teacher: Annotated[str, typer.Option(help="Teacher.")] = "cnn32",
    student: Annotated[str, typer.Option(help="Student.")] = "cnn8",
    population: Annotated[int, typer.Option(min=2, help="Candidates of a generation.")] = 12,
    generations: Annotated[int, typer.Option(min=0, help="Generations after the first.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Run seeds: 0, 1, 2, …")] = 20,
    quick: Annotated[bool, typer.Option("--quick", help="Tiny searches, to see that it works.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/rivals.json.")] = None,
) -> None:
    """Compare evolution with rivals of equal budget."""
    torch.set_num_threads(1)
    run: dict[str, Any] = {"data": data, "teacher": teacher, "student": student}
    if quick:
        population, generations = 6, 0
        run |= {"epochs": 1, "proxy_epochs": 1}
    run |= {"pop": population, "gens": generations}
    path = out or RESULTS / "rivals.json"
    options: dict[str, Any] = {
        "data": data, "teacher": teacher, "student": student, "population": population, "generations": generations,
        "seeds": seeds, "quick": quick,
    }  # fmt: skip
    won = read_winners(path)
    for seed in range(seeds):
        if seed not in won:
            won[seed] = one_seed(seed, run, with_published=seed == 0)
        rows = [*arm_rows(won), *winner_rows(won)]
        result = make_result("rivals", options, seeds=sorted(won), rows=rows, claims=claims(rows))
        report(result, path)


if __name__ == "__main__":
    app()
