"""`history.jsonl`, the run as text: two runs that did the same give equal bytes.

So wall-clock times and host names stay out, and of an error only its last line goes in, without the parts
that differ between machines: folders and memory addresses.
"""

import json
import re
from typing import Any

from kdzero_gp.store.json_text import finite_or_text
from kdzero_gp.store.record import Evaluation, Proposal

HISTORY_NAME = "history.jsonl"

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+\b")
_QUOTED_FOLDERS = re.compile(r"(?<=['\"])(?:~?/|[A-Za-z]:[\\/])[^'\"]*[\\/](?=[^'\"]*['\"])")
_FOLDERS = re.compile(r"(?<![\w.~\\/])(?:~?/|[A-Za-z]:[\\/])(?:[^\s'\"<>:,;()\\/]+[\\/])+")


def history_line(proposal: Proposal, evaluation: Evaluation) -> str:
    """Gives one line of valid JSON with sorted keys; NaN and infinity are the strings "nan", "inf" and "-inf"."""
    entry: dict[str, Any] = {
        "arm": proposal.arm,
        "number": proposal.number,
        "generation": proposal.generation,
        "operator": proposal.operator,
        "parents": proposal.parents,
        "tree": proposal.tree,
        "canonical": proposal.canonical,
        "rung": proposal.rung,
        "status": evaluation.status,
        "stage": evaluation.stage,
        "fitness": evaluation.fitness,
        "parts": {name: finite_or_text(value) for name, value in evaluation.parts.items()},
        "calibration": [finite_or_text(factor) for factor in evaluation.calibration],
        "fingerprint": evaluation.fingerprint,
        "steps": evaluation.steps,
        "seed": evaluation.seed,
        "error": None if evaluation.error is None else portable_error(evaluation.error),
    }
    return json.dumps(entry, allow_nan=False, sort_keys=True) + "\n"


def portable_error(error: str) -> str:
    """Gives the last line of a message or traceback, without folders and memory addresses."""
    lines = error.strip().splitlines()
    if not lines:
        return ""
    line = _ADDRESS.sub("0x…", lines[-1].strip())
    return _FOLDERS.sub("", _QUOTED_FOLDERS.sub("", line))
