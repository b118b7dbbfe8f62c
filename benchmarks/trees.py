"""Ten thousand random trees: is every one valid, does its text read back, are loss and gradient finite?

And which share of them survives the screening on the real digits pair.
"""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import torch
import typer

from benchmarks.random_knowledge import PAIRS
from benchmarks.result import RESULTS, Claim, Result, Row, make_result
from benchmarks.table import report
from benchmarks.tree_checks import Numbers, depth_and_size, finite, round_trip, type_valid
from benchmarks.tree_screening import screen, screening_rows
from kdzero_gp import Tree, random_tree
from kdzero_gp.assemble import make_evaluator
from kdzero_gp.config import make_config
from kdzero_gp.grammar.grammar import DEFAULT_TAPS, default_grammar

MAX_DEPTH = 7
MAX_SIZE = 30
QUICK_TREES, QUICK_SCREENED = 40, 8

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def draw(count: int, seed: int) -> list[Tree]:
    """The first trees of one stream, Table 1's operations."""
    rng = random.Random(seed)
    return [random_tree(rng, max_depth=MAX_DEPTH, max_size=MAX_SIZE) for _ in range(count)]


def validity_rows(trees: Sequence[Tree]) -> list[Row]:
    """Counts of what is checked on the text alone."""
    operations = default_grammar().operations
    texts = [str(tree) for tree in trees]
    limits = [depth_and_size(text) for text in texts]
    passed = {
        "type-valid": sum(type_valid(text, operations, DEFAULT_TAPS) for text in texts),
        "parse(print(t)) = t": sum(map(round_trip, trees)),
        "within the limits": sum(depth <= MAX_DEPTH and size <= MAX_SIZE for depth, size in limits),
    }
    return [_row("validity", check, len(trees), count) for check, count in passed.items()] + [
        _row("validity", "different texts", len(trees), len(set(texts)))
    ]


def finiteness_rows(trees: Sequence[Tree], console_errors: Counter[str]) -> list[Row]:
    """Counts of finite losses and gradients; every tree meets one pair of shapes, every second one rectified taps."""
    outcomes: dict[str, list[Numbers | str]] = {pair.name: [] for pair in PAIRS}
    for number, tree in enumerate(trees):
        pair = PAIRS[number % len(PAIRS)]
        outcome = finite(tree, pair, number, rectified=number // len(PAIRS) % 2 == 1)
        outcomes[pair.name].append(outcome)
        if isinstance(outcome, str):
            console_errors[outcome.splitlines()[0]] += 1
    everything = [outcome for some in outcomes.values() for outcome in some]
    rows: list[Row] = []
    for name, some in {"all": everything, **outcomes}.items():
        numbers = [outcome for outcome in some if isinstance(outcome, Numbers)]
        rows += [
            _row("finiteness", f"loss finite, {name}", len(some), sum(n.loss for n in numbers)),
            _row("finiteness", f"gradient finite, {name}", len(some), sum(n.loss and n.gradient for n in numbers)),
        ]
    moving = sum(outcome.moves for outcome in everything if isinstance(outcome, Numbers))
    rows.append(_row("finiteness", "gradient not zero, all", len(everything), moving))
    return rows


def measure(count: int, screened: int, seed: int) -> Result:
    """The whole benchmark."""
    trees = draw(count, seed)
    errors: Counter[str] = Counter()
    rows = validity_rows(trees) + finiteness_rows(trees, errors)
    rows += [{"part": "errors", "what was raised": text, "trees": n} for text, n in errors.most_common()]
    config = make_config(seed=seed)
    ends = screen(trees[:screened], make_evaluator(config))
    rows += screening_rows(ends, f"{config.pair} on {config.data}")
    shares = {str(row["check"]): row["share %"] for row in rows if "check" in row}
    claims = [
        Claim.at_least(what, _share(shares[check]), 100.0, "%")
        for check, what in {
            "type-valid": f"random trees (depth <= {MAX_DEPTH}) that are type-valid",
            "parse(print(t)) = t": "random trees whose text reads back as the same tree",
            "within the limits": f"random trees within depth {MAX_DEPTH} and {MAX_SIZE} nodes",
            "loss finite, all": "random trees whose loss is finite on mismatched shapes",
            "gradient finite, all": "random trees whose gradient is finite on mismatched shapes",
        }.items()
    ]
    options = {"count": count, "screened": screened, "seed": seed}
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
    seed: Annotated[int, typer.Option(help="Of the trees and of the screening.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Few trees; writes only where --out says.")] = False,
    out: Annotated[Path | None, typer.Option(help="Result file, by default benchmarks/results/trees.json.")] = None,
) -> None:
    """Check random trees."""
    torch.set_num_threads(1)
    if quick:
        count, screened = min(count, QUICK_TREES), min(screened, QUICK_SCREENED)
    report(measure(count, screened, seed), out or (None if quick else RESULTS / "trees.json"))


if __name__ == "__main__":
    app()
