"""The benchmark of proxies against the published order in small, and what it asks for."""

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.harness.cifar100_file import small_data
from benchmarks.harness.result import read_result
from benchmarks.published_rank import __main__ as published_rank
from benchmarks.published_rank.settings import PROXIES, PUBLISHED, Proxy
from benchmarks.published_rank.training import Job, Source, outcome


def test_settings_are_chosen_by_name() -> None:
    assert published_rank.chosen("all") == list(PROXIES)
    assert published_rank.chosen("") == []
    names = [PROXIES[2].name, PROXIES[0].name]
    assert [proxy.name for proxy in published_rank.chosen(", ".join([*names, names[0]]))] == names
    with pytest.raises(typer.BadParameter, match="no setting cold-6k; known are all, cold-5k-6"):
        published_rank.chosen("cold-6k")


def run_quick(folder: Path, out: Path) -> str:
    done = CliRunner().invoke(published_rank.app, ["--quick", "--keep", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_small_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path / "cache"))
    keep, out = tmp_path / "keep", tmp_path / "published_rank.json"
    run_quick(keep, out)
    rows = read_result(out).part("correlations")
    assert [row["device"] for row in read_result(out).part("settings")] == ["cpu"] * 3 + ["not measured"] * len(
        PROXIES[-1].stops
    )
    assert all(-1 <= float(str(row["cross-entropy"])) <= 1 for row in rows[:3])
    assert len(read_result(out).part("methods")) == 3 * len(PUBLISHED)
    lost = keep / "quick" / "dkd-0.json"
    before = json.loads(lost.read_text())
    lost.unlink()
    report = run_quick(keep, out)
    assert re.findall(r"\d+/\d+ \S+ \S+ seed \d", report) == ["1/1 quick dkd seed 0"]
    assert json.loads(lost.read_text())["stops"] == before["stops"]
    other = Job(Proxy("quick", 64, 4, (1, 2)), "dkd", 0)
    source = Source(small_data(tmp_path / "small.npz"), None, "cnn4", "cnn2")
    with pytest.raises(ValueError, match=r"dkd-0.json: setting is .* give another --keep folder"):
        outcome(other, source, keep)


def test_data_and_weights_are_asked_for() -> None:
    done = CliRunner().invoke(published_rank.app, ["--settings", "all"])
    assert done.exit_code == 2
    assert "--data and --weights are needed" in re.sub(r"\W*\n\W*", " ", done.output)
