"""Does a cheap training rank distillers as the full one does? Rank correlations on the digits pair.

Random distillers that pass the screening, and the student alone, are trained in full with several seeds; their mean
test accuracy is the truth. Then each is trained briefly, in several ways, and Spearman's correlation of the truth with
every fitness of the brief training is measured, over several seeds. None of these trees was looked at when the default
was chosen. The same for hand-designed methods on CIFAR-100 is `benchmarks.published_rank`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Result, Row, make_result
from benchmarks.harness.side_by_side import side_by_side
from benchmarks.harness.table import report
from benchmarks.proxy_rank.candidates import digits_task, one_candidate, sample
from benchmarks.proxy_rank.settings import proxies
from benchmarks.proxy_rank.table import claims, reliability_row, seed_rows, summary
from kdzero_gp.run.assemble import make_evaluator
from kdzero_gp.run.config import make_config

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def measure(
    trees: int, proxy_seeds: Sequence[int], final_seeds: Sequence[int], *, workers: int, quick: bool
) -> list[Row]:
    """One row for each setting, rung and fitness."""
    task = digits_task()
    evaluator = make_evaluator(make_config(), task)
    full = task.recipe.steps(len(task.data.train))
    settings = proxies(full, evaluator.ladder.ends, quick)
    candidates = sample(evaluator, trees, seed=0)
    arguments = [(candidate, settings, proxy_seeds, final_seeds) for candidate in candidates]
    found = side_by_side(one_candidate, arguments, workers)
    rows = [reliability_row(found), *seed_rows(settings, found, proxy_seeds, full, len(task.data.train))]
    return [*summary(rows), *rows]


@app.command()
def main(
    trees: Annotated[int, typer.Option(help="Random distillers beside the student alone.")] = 40,
    proxy_seeds: Annotated[int, typer.Option(help="Seeds of each proxy training.")] = 3,
    final_seeds: Annotated[int, typer.Option(help="Seeds of each full training.")] = 8,
    workers: Annotated[int, typer.Option(min=1, help="Distillers examined at a time.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A few trees, to see that it works.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Result file, by default benchmarks/results/proxy_rank.json.")
    ] = None,
) -> None:
    """Measure the rank correlation of proxies with full trainings on digits."""
    torch.set_num_threads(1)
    if quick:
        trees, proxy_seeds, final_seeds, workers = 3, 1, 1, 1
    cheap = [1000 + n for n in range(proxy_seeds)]
    finals = [2000 + n for n in range(final_seeds)]
    rows = measure(trees, cheap, finals, workers=workers, quick=quick)
    options = {
        "trees": trees,
        "proxy_seeds": proxy_seeds,
        "final_seeds": final_seeds,
        "workers": workers,
        "quick": quick,
    }
    result: Result = make_result("proxy_rank", options, seeds=[0, *cheap, *finals], rows=rows, claims=claims(rows))
    report(result, out or (None if quick else RESULTS / "proxy_rank.json"))


if __name__ == "__main__":
    app()
