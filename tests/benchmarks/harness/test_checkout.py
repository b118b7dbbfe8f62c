"""The commit of the code, and which benchmarks there are."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.harness import checkout
from benchmarks.harness.checkout import ROOT, commit, has_benchmark


def test_commit_tells_changed_code_from_changed_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        call = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
        return subprocess.run(call, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    assert commit() == "unknown" or tmp_path.is_relative_to(ROOT)
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    for name in ("code.py", "README.md", "benchmarks/results/toy.json"):
        (tmp_path / name).write_text("1")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    head = git("rev-parse", "HEAD")
    assert commit() == head
    (tmp_path / "README.md").write_text("2")
    (tmp_path / "benchmarks" / "results" / "toy.json").write_text("2")
    assert commit() == head
    (tmp_path / "code.py").write_text("2")
    assert commit() == f"{head}-dirty"


def test_a_benchmark_is_a_package_with_a_command_or_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_benchmark("trees")
    assert has_benchmark("streaming")
    assert not has_benchmark("harness")
    monkeypatch.setattr(checkout, "ROOT", tmp_path)
    assert not has_benchmark("trees")
