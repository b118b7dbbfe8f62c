"""Turns a proposal and its evaluation into a row of the table `evaluations`, and back."""

import json
from typing import Any

from kdzero_gp.errors import StoreError
from kdzero_gp.store.json_text import finite_or_text
from kdzero_gp.store.record import Evaluation, Proposal
from kdzero_gp.untrusted import printable

Row = tuple[Any, ...]

PROPOSAL_COLUMNS = ("arm", "number", "generation", "operator", "parents", "tree", "canonical", "rung")
EVALUATION_COLUMNS = (
    "status",
    "stage",
    "fitness",
    "parts",
    "calibration",
    "fingerprint",
    "steps",
    "seed",
    "seconds",
    "host",
    "error",
)
_COLUMNS = ", ".join(PROPOSAL_COLUMNS + EVALUATION_COLUMNS)
_PLACES = ", ".join("?" * len(PROPOSAL_COLUMNS + EVALUATION_COLUMNS))

# One statement is one transaction: there is no moment at which half of it could be interrupted.
INSERT = f"INSERT INTO evaluations ({_COLUMNS}) VALUES ({_PLACES}) ON CONFLICT (arm, number, rung) DO NOTHING"
SELECT = f"SELECT {_COLUMNS} FROM evaluations"


def to_row(proposal: Proposal, evaluation: Evaluation) -> Row:
    """Makes the values of `INSERT`. The seed is text, for it may exceed the 64 bits of an INTEGER."""
    return (
        proposal.arm,
        proposal.number,
        proposal.generation,
        proposal.operator,
        json.dumps(proposal.parents),
        proposal.tree,
        proposal.canonical,
        proposal.rung,
        evaluation.status,
        evaluation.stage,
        evaluation.fitness,
        json.dumps({name: finite_or_text(value) for name, value in evaluation.parts.items()}),
        json.dumps([finite_or_text(factor) for factor in evaluation.calibration]),
        evaluation.fingerprint,
        evaluation.steps,
        str(evaluation.seed),
        evaluation.seconds,
        evaluation.host,
        evaluation.error,
    )


def from_row(row: Row) -> tuple[Proposal, Evaluation]:
    """Makes the records of a row of `SELECT`, which may be anybody's: every column is checked.

    Raises:
        StoreError: one breaks a rule of its record; names the row and what is wrong.
    """
    try:
        return _records(row)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        arm, number, rung = (printable(str(row[place]), limit=40) for place in (0, 1, 7))
        reason = printable(str(error).splitlines()[0] if str(error) else type(error).__name__, limit=300)
        raise StoreError(
            f"the evaluation {arm}/{number} at rung {rung} is damaged: {reason}. Nothing was changed: restore the run "
            "folder from a copy, or take another"
        ) from error


def _records(row: Row) -> tuple[Proposal, Evaluation]:
    wanted = dict(zip(PROPOSAL_COLUMNS, row, strict=False))
    wanted["parents"] = tuple(json.loads(wanted["parents"]))
    given = dict(zip(EVALUATION_COLUMNS, row[len(PROPOSAL_COLUMNS) :], strict=True))
    given["parts"] = {name: float(value) for name, value in json.loads(given["parts"]).items()}
    given["calibration"] = tuple(float(factor) for factor in json.loads(given["calibration"]))
    given["seed"] = int(given["seed"])
    return Proposal(**wanted), Evaluation(**given)
