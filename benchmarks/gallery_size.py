"""The gallery of a run with 20,000 evaluations: how large its page is, how soon it stands, how smoothly it scrolls.

The run is made up: random trees of Table 1's operations with parents, failures and tracebacks, but no training. The
page is the one that `python -m kdzero_gp.browse` writes by default, with drawing, JSON and Python of the 2,000 most
important distillers; how long the smaller page takes that a run writes at its end is measured beside it. The page is
opened from disk in a headless Chromium without a GPU; without Chromium the browser's part is not measured.
"""

import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.result import RESULTS, Claim, Row, make_result
from benchmarks.table import report
from kdzero_gp import random_tree
from kdzero_gp.gallery import write_galleries, write_gallery
from kdzero_gp.store import Evaluation, Proposal, RunStore

QUICK_COUNT = 100
GENERATION = 200
"""Proposals of a generation of the made-up run."""
FRAMES = 120
SIZE, LOAD, ANSWER, FRAME = 15.0, 3.0, 0.5, 50.0
"""Targets: MiB; seconds until the page is drawn; seconds to sort, filter or open a card; ms for a step of scrolling."""
WRITE, WRITE_AT_END = 120.0, 30.0
"""Targets: seconds until the page is written, by `browse` and at a run's end."""

MEASURE = """
const [frames, done] = arguments;
const timed = (action) => {
  const began = performance.now();
  action();
  document.body.offsetHeight;
  return performance.now() - began;
};
const head = (name) =>
  [...document.querySelectorAll(".all thead button")].find((button) => button.textContent.startsWith(name));
const table = timed(() => {
  location.hash = "#/0/distillers";
  window.dispatchEvent(new HashChangeEvent("hashchange"));
});
const sort = ["Fitness", "Size", "Text form"].map((name) => timed(() => head(name).click()));
const filter = ["l2", "norm", "kl"].map((text) => timed(() => {
  const field = document.querySelector('[aria-label="Filter Text form"]');
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}));
[...document.querySelectorAll("button")].find((b) => b.textContent === "Clear filters").click();
const scroller = document.querySelector(".scroller");
const step = scroller.scrollHeight / frames;
const intervals = [];
let last = performance.now();
const next = () => {
  const now = performance.now();
  intervals.push(now - last);
  last = now;
  const rows = document.querySelectorAll(".all tbody tr[data-row]").length;
  if (intervals.length > frames) done({ table, sort, filter, intervals: intervals.slice(1), rows });
  else { scroller.scrollTop += step; requestAnimationFrame(next); }
};
requestAnimationFrame(next);
"""

OPEN_CARD = """
const done = arguments[0];
const keys = runs[0].data.packed.places;
const began = performance.now();
location.hash = `#/0/distiller/${keys.at(-1)}`;
const look = () => {
  if (document.querySelector(".drawn svg, .drawn .warn")) done(performance.now() - began);
  else setTimeout(look, 1);
};
look();
"""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def make_run(folder: Path, count: int, seed: int) -> RunStore:
    """A run of this many evaluations; nine in ten have a fitness, one in twenty a traceback."""
    rng = random.Random(seed)
    store = RunStore.create(folder, {"pop": GENERATION, "teacher": "teacher", "student": "student"})
    for number in range(count):
        generation = number // GENERATION
        before = range(max(0, (generation - 1) * GENERATION), generation * GENERATION)
        parents = tuple(rng.sample(before, 2)) if generation else ()
        text = str(random_tree(rng, max_depth=7, max_size=30))
        operator = rng.choice(["crossover", "node", "constant", "subtree"]) if generation else "random"
        proposal = Proposal(number, generation, "evolve", operator, parents, text, text, 0)
        store.record(proposal, _evaluation(rng, text, number))
        if number % GENERATION == GENERATION - 1:
            stats = {"best": 1.0 / (1 + generation), "median": 1.0, "quartiles": [0.8, 1.3], "diversity": 0.5}
            store.put_generation("evolve", generation, stats | {"funnel": {"proposed": GENERATION}})
    return store


def _evaluation(rng: random.Random, text: str, number: int) -> Evaluation:
    seconds, seed = rng.uniform(0.1, 3), rng.getrandbits(60)
    kind = number % 20
    if kind == 0:
        frames = "".join(f'  File "candidate.py", line {rng.randrange(999)}, in step\n' for _ in range(12))
        error = f"Traceback (most recent call last):\n{frames}RuntimeError: candidate {number}"
        return Evaluation("error", None, None, {}, (), None, 0, seed, seconds, "host", error)
    if kind == 1:
        return Evaluation("rejected", "no_gradient", None, {}, (), None, 0, seed, seconds, "host", None)
    names = ("ce", "tempered_ce", "sharpness_gap", "cka_gap", "accuracy")
    parts = {name: rng.random() for name in names}
    factors = tuple(rng.lognormvariate(0, 2) for _ in range(text.count("weight(")))
    return Evaluation("ok", None, rng.lognormvariate(0, 0.5), parts, factors, "f", 45, seed, seconds, "host", None)


def browser_rows(page: Path) -> list[Row]:
    """What Chromium takes for the page; no rows where there is none."""
    program, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
    if program is None or driver is None:
        return []
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        browser.get(page.as_uri())
        load = browser.execute_script(  # type: ignore[no-untyped-call]
            "return performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        )
        found: dict[str, Any] = browser.execute_async_script(MEASURE, FRAMES)  # type: ignore[no-untyped-call]
        card = browser.execute_async_script(OPEN_CARD)  # type: ignore[no-untyped-call]
    finally:
        browser.quit()
    frames = sorted(found["intervals"])
    values = {
        "load: until the page is drawn, s": load / 1000,
        "table: opened, s": found["table"] / 1000,
        "sort: slowest of three, s": max(found["sort"]) / 1000,
        "filter: slowest of three, s": max(found["filter"]) / 1000,
        "card: opened with its drawing, s": card / 1000,
        "scroll: median frame, ms": statistics.median(frames),
        "scroll: 95th percentile of frames, ms": frames[int(0.95 * (len(frames) - 1))],
        "rows in the page at once": found["rows"],
    }
    return [{"what": what, "value": float(value)} for what, value in values.items()]


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
