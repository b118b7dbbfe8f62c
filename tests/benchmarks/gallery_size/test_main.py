"""The gallery's benchmark: its claims, and a small run."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.gallery_size import __main__ as gallery_size
from benchmarks.harness.result import read_result


def test_what_was_not_measured_is_not_claimed() -> None:
    found = gallery_size.claims([{"what": "page: size, MiB", "value": 16.0}], 20_000)
    assert [claim.holds for claim in found] == [False, *[None] * 7]


def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_size, "browser_rows", lambda page: [{"what": "load: of a stand-in, s", "value": 1.5}])
    done = CliRunner().invoke(gallery_size.app, ["--quick", "--out", str(tmp_path / "gallery_size.json")])
    assert done.exit_code == 0, done.output
    result = read_result(tmp_path / "gallery_size.json")
    assert {claim.what: claim.measured for claim in result.claims}[
        "time until the page is drawn with 100 evaluations"
    ] == 1.5
    assert float(str(result.rows[0]["value"])) > 0.05
