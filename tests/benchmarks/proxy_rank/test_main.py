"""The proxy benchmark in small."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks.harness.result import read_result
from benchmarks.proxy_rank import __main__ as proxy_rank


def test_a_small_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "proxy_rank.json"
    done = CliRunner().invoke(proxy_rank.app, ["--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = read_result(out)
    names = {row["proxy"] for row in result.part("by seed")}
    assert names == {"default", "warm"}
    assert all(-1 <= float(str(row["Spearman, mean over seeds"])) <= 1 for row in result.part("by seed"))
