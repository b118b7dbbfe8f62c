"""The evaluations of a run as compact columns of the gallery's table.

Texts that repeat are written once and referred to by their place; what few rows have is written for those rows alone.
"""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from kdzero_gp.store import Evaluation, Proposal
from kdzero_gp.untrusted import printable

LONGEST = 20_000
"""Characters of a text form or a traceback that the page holds."""
MOST_PARTS = 40
"""Parts of the fitness that get a column."""

_TOKEN = re.compile(r"[^\s(),]+")
_OPERATION = re.compile(r"([A-Za-z_]\w*)\s*\(")
Recorded = tuple[Proposal, Evaluation]


def columns(evaluations: Sequence[Recorded]) -> dict[str, Any]:
    """Makes the table by column; lists have one entry for each evaluation, mappings the rows that differ.

    Numbers have six significant digits, calibrations all; NaN and infinity are the texts "nan", "inf" and "-inf".
    """
    parts = list(dict.fromkeys(name for _, e in evaluations for name in e.parts))[:MOST_PARTS]
    outlines = [outline(p.tree) for p, _ in evaluations]
    return {
        "count": len(evaluations),
        "arm": _coded(p.arm for p, _ in evaluations),
        "operator": _coded(p.operator for p, _ in evaluations),
        "status": _coded(e.status if e.stage is None else f"{e.status}: {e.stage}" for _, e in evaluations),
        "number": [p.number for p, _ in evaluations],
        "generation": [p.generation for p, _ in evaluations],
        "rung": [p.rung for p, _ in evaluations],
        "parents": [list(p.parents) for p, _ in evaluations],
        "size": [size for size, _ in outlines],
        "depth": [depth for _, depth in outlines],
        "fitness": [shortened(e.fitness) for _, e in evaluations],
        "seconds": [shortened(e.seconds) for _, e in evaluations],
        "steps": [e.steps for _, e in evaluations],
        "parts": {printable(name, limit=60): [shortened(e.parts.get(name)) for _, e in evaluations] for name in parts},
        "calibration": [[_plain(factor) for factor in e.calibration] for _, e in evaluations],
        "tree": [printable(p.tree, limit=LONGEST) for p, _ in evaluations],
        "canonical": {
            str(row): printable(p.canonical, limit=LONGEST)
            for row, (p, _) in enumerate(evaluations)
            if p.canonical != p.tree
        },
        "error": _sparse(e.error for _, e in evaluations),
    }


def outline(text: str) -> tuple[int, int]:
    """Counts nodes and height of a tree from its text alone, also with unknown operations."""
    depth = deepest = 0
    for bracket in re.findall(r"[()]", text):
        depth += 1 if bracket == "(" else -1
        deepest = max(deepest, depth)
    return len(_TOKEN.findall(text)), deepest


def operation_names(text: str) -> frozenset[str]:
    """Lists the names of the operations in a text form."""
    return frozenset(_OPERATION.findall(text))


def shortened(number: float | None) -> float | str | None:
    """Rounds a number to six significant digits for JSON."""
    return None if number is None else _plain(float(f"{number:.6g}"))


def _plain(number: float) -> float | str:
    return number if math.isfinite(number) else repr(number)


def _coded(texts: Iterable[str]) -> dict[str, Any]:
    """Encodes a column of few different texts: the texts, and every row's place among them."""
    places: dict[str, int] = {}
    codes = [places.setdefault(printable(text, limit=200), len(places)) for text in texts]
    return {"names": list(places), "codes": codes}


def _sparse(texts: Iterable[str | None]) -> dict[str, Any]:
    """Encodes a column with few entries: the different texts, and the place among them by row."""
    places: dict[str, int] = {}
    rows = {
        str(row): places.setdefault(printable(text, limit=LONGEST), len(places))
        for row, text in enumerate(texts)
        if text
    }
    return {"names": list(places), "rows": rows}
