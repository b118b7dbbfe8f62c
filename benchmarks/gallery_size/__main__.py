"""The gallery of a run with 20,000 evaluations: how large its page is, how soon it stands, how smoothly it scrolls.

The run is made up: random trees of Table 1's operations with parents, failures and tracebacks, but no training. The
page is the one that `python -m kdzero_gp.browse` writes by default, with drawing, JSON and Python of the 2,000 most
important distillers; how long the smaller page takes that a run writes at its end is measured beside it. The page is
opened from disk in a headless Chromium without a GPU; without Chromium the browser's part is not measured.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.gallery_size.browser import browser_rows
from benchmarks.gallery_size.made_up import make_run
from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.result import Claim, Row, make_result
from benchmarks.harness.table import report
from kdzero_gp.gallery.page import write_galleries, write_gallery

QUICK_COUNT = 100
SIZE, LOAD, ANSWER, FRAME = 15.0, 3.0, 0.5, 50.0
"""Targets: MiB; seconds until the page is drawn; seconds to sort, filter or open a card; ms for a step of scrolling."""
WRITE, WRITE_AT_END = 120.0, 30.0
"""Targets: seconds until the page is written, by `browse` and at a run's end."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def claims(rows: list[Row], count: int) -> list[Claim]:
    """The targets."""
    values = {str(row["what"]).partition(":")[0]: float(str(row["value"])) for row in rows}
    frame = next((float(str(r["value"])) for r in rows if "95th" in str(r["what"])), None)
    of = f"with {count:,} evaluations"
    return [
        Claim.at_most(f"size of the page {of}", values["page"], SIZE, "MiB"),
        Claim.at_most(f"time in which `browse` writes the page {of}", values.get("browse"), WRITE, "s"),
        Claim.at_most(f"time to write the page at a run's end {of}", values.get("end"), WRITE_AT_END, "s"),
        Claim.at_most(f"time until the page is drawn {of}", values.get("load"), LOAD, "s"),
        Claim.at_most(f"time to sort the table {of}", values.get("sort"), ANSWER, "s"),
        Claim.at_most(f"time to filter the table {of}", values.get("filter"), ANSWER, "s"),
        Claim.at_most(f"time to open a card {of}", values.get("card"), ANSWER, "s"),
        Claim.at_most(f"95th percentile of the frames while scrolling {of}", frame, FRAME, "ms"),
    ]


@app.command()
def main(
    count: Annotated[int, typer.Option(min=1, help="Evaluations of the run.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the made-up run.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="A small run, to see that it works.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/NAME.json.")] = None,
) -> None:
    """Measure the gallery of a long run."""
    count = QUICK_COUNT if quick else count
    with tempfile.TemporaryDirectory() as temporary:
        with make_run(Path(temporary) / "run", count, seed) as store:
            began = time.perf_counter()
            write_gallery(store)
            at_end = time.perf_counter() - began
        began = time.perf_counter()
        page = write_galleries([Path(temporary) / "run"])
        browsed = time.perf_counter() - began
        rows: list[Row] = [
            {"what": "page: size, MiB", "value": page.stat().st_size / 2**20},
            {"what": "browse: page written in, s", "value": browsed},
            {"what": "end: page written in, s", "value": at_end},
            *browser_rows(page),
        ]
    options = {"count": count, "seed": seed, "quick": quick}
    result = make_result("gallery_size", options, seeds=[seed], rows=rows, claims=claims(rows, count))
    report(result, out or (None if quick else RESULTS / "gallery_size.json"))


if __name__ == "__main__":
    app()
