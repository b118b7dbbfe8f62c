"""Every result file of the project has the one form."""

import json
from pathlib import Path

import pytest

from benchmarks.harness.checkout import RESULTS, has_benchmark
from benchmarks.harness.result import read_result

FILES = sorted(RESULTS.glob("*.json"))
FORM = ["benchmark", "date", "commit", "hardware", "versions", "seeds", "command", "rows", "claims"]
CLAIM = ["what", "measured", "target", "unit", "holds"]


def test_there_are_result_files() -> None:
    assert {"cifar100", "digits", "trees"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_result_file_has_the_form(path: Path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    assert list(record) == FORM
    assert all(list(claim) == CLAIM for claim in record["claims"])
    result = read_result(path)
    assert result.command.split()[2] == f"benchmarks.{path.stem}"
    assert has_benchmark(path.stem)
    assert "--quick" not in result.command, "a quick run is a test, not a measurement"
