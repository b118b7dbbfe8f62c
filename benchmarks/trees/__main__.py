"""Ten thousand random trees: is every one valid, does its text read back, are loss and gradient finite?

And which share of them survives the screening on the real digits pair, and whether it turns down the right ones.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.harness.checkout import RESULTS
from benchmarks.harness.random_knowledge import PAIRS, Pair
from benchmarks.harness.result import Claim, Result, Row, make_result
from benchmarks.harness.table import report
from benchmarks.trees.checks import Numbers, depth_and_size, finite, round_trip, type_valid
from benchmarks.trees.screening import screen, screening_rows
from benchmarks.trees.worth import worth_rows
from kdzero_gp import Tree, random_tree
from kdzero_gp.grammar.grammar import DEFAULT_TAPS, default_grammar
from kdzero_gp.run.assemble import make_evaluator
from kdzero_gp.run.config import make_config

MAX_DEPTH = 7
MAX_SIZE = 30
QUICK_TREES, QUICK_SCREENED, QUICK_TRAINED = 40, 8, 1

VALID, ROUND_TRIP, WITHIN = "type-valid", "parse(print(t)) = t", "within the limits"
LOSS, GRADIENT = "loss finite", "gradient finite"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Pass:
    """One tree's forward and backward pass on one pair of shapes; the message of what it raised, if it did."""

    pair: Pair
    numbers: Numbers | str


def draw(count: int, seed: int) -> list[Tree]:
    """The first trees of one stream, Table 1's operations."""
    rng = random.Random(seed)
    return [random_tree(rng, max_depth=MAX_DEPTH, max_size=MAX_SIZE) for _ in range(count)]


def check_rows(trees: Sequence[Tree], passes: Sequence[Pass]) -> list[Row]:
    """Counts of all that must hold for every tree, and of two things that need not."""
    operations = default_grammar().operations
    texts = [str(tree) for tree in trees]
    limits = [depth_and_size(text) for text in texts]
    numbers = [p.numbers for p in passes if isinstance(p.numbers, Numbers)]
    passed = {
        VALID: sum(type_valid(text, operations, DEFAULT_TAPS) for text in texts),
        ROUND_TRIP: sum(map(round_trip, trees)),
        WITHIN: sum(depth <= MAX_DEPTH and size <= MAX_SIZE for depth, size in limits),
        LOSS: sum(n.loss for n in numbers),
        GRADIENT: sum(n.loss and n.gradient for n in numbers),
        "gradient not zero (the screening's business)": sum(n.moves for n in numbers),
        "different texts (the search's business)": len(set(texts)),
    }
    return [_row("checks", check, len(trees), count) for check, count in passed.items()]


def finiteness_rows(passes: Sequence[Pass]) -> list[Row]:
    """Finite losses and gradients by the pair's shapes, and what was raised, if anything was."""
    rows: list[Row] = []
    for pair in PAIRS:
        some = [p.numbers for p in passes if p.pair is pair]
        numbers = [n for n in some if isinstance(n, Numbers)]
        if some:
            rows.append(_row("shapes", f"{LOSS}, {pair.name}", len(some), sum(n.loss for n in numbers)))
            finite_both = sum(n.loss and n.gradient for n in numbers)
            rows.append(_row("shapes", f"{GRADIENT}, {pair.name}", len(some), finite_both))
    raised = Counter(p.numbers.splitlines()[0] for p in passes if isinstance(p.numbers, str))
    return rows + [_row("errors", text, len(passes), count) for text, count in raised.most_common()]


def run_trees(trees: Sequence[Tree]) -> list[Pass]:
    """A forward and backward pass of each, on the pairs of shapes in turn; every second round has rectified taps."""
    passes = []
    for number, tree in enumerate(trees):
        pair = PAIRS[number % len(PAIRS)]
        passes.append(Pass(pair, finite(tree, pair, number, rectified=number // len(PAIRS) % 2 == 1)))
    return passes


def measure(count: int, screened: int, trained: int, seed: int) -> Result:
    """The whole benchmark."""
    trees = draw(count, seed)
    passes = run_trees(trees)
    rows = check_rows(trees, passes) + finiteness_rows(passes)
    config = make_config(seed=seed)
    evaluator = make_evaluator(config)
    ended = screen(trees[:screened], evaluator)
    rows += screening_rows(ended, f"{config.pair} on {config.data}")
    rows += worth_rows(ended, evaluator, trained)
    required = {
        VALID: f"random trees (depth <= {MAX_DEPTH}) that are type-valid",
        ROUND_TRIP: "random trees whose text reads back as the same tree",
        WITHIN: f"random trees within depth {MAX_DEPTH} and {MAX_SIZE} nodes",
        LOSS: "random trees whose loss is finite on mismatched shapes",
        GRADIENT: "random trees whose gradient is finite on mismatched shapes",
    }
    shares = {row["check"]: row["share %"] for row in rows if row["part"] == "checks"}
    claims = [Claim.at_least(what, _share(shares[check]), 100.0, "%") for check, what in required.items()]
    options = {"count": count, "screened": screened, "trained": trained, "seed": seed}
    return make_result("trees", options, seeds=[seed], rows=rows, claims=claims)


def _row(part: str, check: str, trees: int, passed: int) -> Row:
    return {"part": part, "check": check, "trees": trees, "passed": passed, "share %": 100 * passed / trees}


def _share(value: object) -> float:
    if not isinstance(value, float):
        raise TypeError(f"a share is {value!r}")
    return value


@app.command()
def main(
    count: Annotated[int, typer.Option(min=1, help="Random trees.")] = 10_000,
    screened: Annotated[int, typer.Option(min=1, help="How many of them are screened on the digits pair.")] = 2_000,
    trained: Annotated[
        int, typer.Option(min=1, help="How many of the survivors are trained, and of those that a stage doubts.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="Of the trees and of the screening.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few trees; writes only where --out says.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/trees.json.")] = None,
) -> None:
    """Check random trees."""
    torch.set_num_threads(1)
    if quick:
        count, screened = min(count, QUICK_TREES), min(screened, QUICK_SCREENED)
        trained = min(trained, QUICK_TRAINED)
    report(measure(count, screened, trained, seed), out or (None if quick else RESULTS / "trees.json"))


if __name__ == "__main__":
    app()
