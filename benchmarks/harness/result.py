"""The one form of every result file, and how it is made, checked, written and read.

A number without its seeds, command, hardware and versions is not reported, so the file holds them beside the raw
table and the claims that the table has to bear out.
"""

import datetime
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from benchmarks.harness.checkout import commit
from kdzero_gp.provenance import hardware, versions

COMMIT = re.compile(r"[0-9a-f]{40}(-dirty)?|unknown")

Scalar = str | int | float | bool | None
Row = Mapping[str, Scalar | Sequence[Scalar]]


@dataclass(frozen=True)
class Claim:
    """One sentence that a benchmark bears out or not.

    Attributes:
        what: the sentence, with the direction: "at least", "at most".
        measured: None where it was not measured.
        holds: whether the measurement keeps the target; None exactly when nothing was measured.

    Raises:
        ValueError: a field has no legal value.
    """

    what: str
    measured: float | None
    target: float
    unit: str
    holds: bool | None

    def __post_init__(self) -> None:
        _require(isinstance(self.what, str) and bool(self.what), "what", self.what, "a sentence")
        _require(self.measured is None or _number(self.measured), "measured", self.measured, "a finite number or null")
        _require(_number(self.target), "target", self.target, "a finite number")
        _require(isinstance(self.unit, str), "unit", self.unit, "a text")
        _require(self.holds is None or isinstance(self.holds, bool), "holds", self.holds, "true, false or null")
        _require((self.holds is None) == (self.measured is None), "holds", self.holds, "null exactly when measured is")

    @classmethod
    def at_least(cls, what: str, measured: float | None, target: float, unit: str) -> Self:
        """The claim that a measurement is not below its target."""
        return cls(what, measured, target, unit, None if measured is None else bool(measured >= target))

    @classmethod
    def at_most(cls, what: str, measured: float | None, target: float, unit: str) -> Self:
        """The claim that a measurement is not above its target."""
        return cls(what, measured, target, unit, None if measured is None else bool(measured <= target))


@dataclass(frozen=True)
class Result:
    """What one benchmark measured.

    Attributes:
        benchmark: name of the script and of the file.
        date: ISO 8601 in UTC.
        commit: 40 hex digits, `-dirty` behind them where the code differed from the commit; "unknown" without git.
        seeds: every seed that a reader needs to repeat it.
        command: what was typed.
        rows: the raw table; a row's `part` names the table it belongs to where there are several.

    Raises:
        ValueError: a field has no legal value.
    """

    benchmark: str
    date: str
    commit: str
    hardware: str
    versions: Mapping[str, str]
    seeds: Sequence[int]
    command: str
    rows: Sequence[Row]
    claims: Sequence[Claim]

    def __post_init__(self) -> None:
        _require(re.fullmatch(r"[a-z][a-z0-9_]*", str(self.benchmark)), "benchmark", self.benchmark, "a module's name")
        moment = datetime.datetime.fromisoformat(self.date)
        _require(moment.utcoffset() == datetime.timedelta(0), "date", self.date, "a moment in UTC")
        _require(COMMIT.fullmatch(str(self.commit)), "commit", self.commit, "40 hex digits, with or without `-dirty`")
        _require(isinstance(self.hardware, str) and self.hardware, "hardware", self.hardware, "a description")
        _require(bool(self.versions), "versions", self.versions, "versions by name")
        _require(bool(self.seeds) and all(map(_integer, self.seeds)), "seeds", self.seeds, "one or more integers")
        _require(str(self.command).startswith("python -m benchmarks."), "command", self.command, "a benchmark's call")
        _require(bool(self.rows), "rows", self.rows, "one row or more")
        for row in self.rows:
            _require(bool(row) and all(isinstance(key, str) for key in row), "rows", row, "values by column")
            for value in row.values():
                cells = value if isinstance(value, list | tuple) else [value]
                legal = all(cell is None or isinstance(cell, str | bool) or _number(cell) for cell in cells)
                _require(legal, "rows", value, "texts, finite numbers, booleans, null, or lists of them")
        _require(all(isinstance(c, Claim) for c in self.claims), "claims", self.claims, "claims")

    def part(self, name: str) -> list[Row]:
        """The rows of one of its tables."""
        return [row for row in self.rows if row.get("part") == name]

    def parts(self) -> list[list[Row]]:
        """The rows of each of its tables, in their order."""
        tables: dict[object, list[Row]] = {}
        for row in self.rows:
            tables.setdefault(row.get("part"), []).append(row)
        return list(tables.values())


def make_result(
    benchmark: str,
    options: Mapping[str, Scalar],
    *,
    seeds: Sequence[int],
    rows: Sequence[Row],
    claims: Sequence[Claim],
    device: str = "cpu",
) -> Result:
    """A result of this moment, this commit and this machine; `options` are what the command is called with."""
    return Result(
        benchmark=benchmark,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        commit=commit(),
        hardware=hardware(device),
        versions=versions(),
        seeds=list(seeds),
        command=command(benchmark, options),
        rows=list(rows),
        claims=list(claims),
    )


def write_result(result: Result, path: Path) -> Path:
    """Writes a result in place of an earlier one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(result), indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_result(path: Path) -> Result:
    """Reads and checks a result.

    Raises:
        ValueError: the file is not of the form; names the file and the field.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _same_keys("the file", record, Result)
        for claim in record["claims"]:
            _same_keys("a claim", claim, Claim)
        result = Result(**(record | {"claims": [Claim(**claim) for claim in record["claims"]]}))
        _require(result.benchmark == path.stem, "benchmark", result.benchmark, f"the file's name, `{path.stem}`")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error
    return result


def command(benchmark: str, options: Mapping[str, Scalar]) -> str:
    """The call as typed; options that are None or False are left out."""
    words = [f"python -m benchmarks.{benchmark}"]
    for name, value in options.items():
        if value is None or value is False:
            continue
        words.append(f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}"))
    return " ".join(words)


def _same_keys(what: str, record: Mapping[str, Any], form: type) -> None:
    wanted = [field.name for field in fields(form)]
    _require(isinstance(record, dict) and sorted(record) == sorted(wanted), what, list(record), f"exactly {wanted}")


def _require(legal: object, name: str, value: object, rule: str) -> None:
    if not legal:
        raise ValueError(f"{name} is {value!r}, but must be {rule}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
