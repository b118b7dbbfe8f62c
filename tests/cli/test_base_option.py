"""`--base`: the search evolves what is added to a hand-designed method."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.store import RunStore
from tests.cli.test_resume_command import unfinish

OPTIONS = ("--base", "review", "--finalists", "1", "--leaders", "1", "--pop", "2", "--rungs", "1", "--fuse", "2")


def test_a_run_ends_with_base_alone_and_base_and_evolved_and_resumes_to_the_same(
    invoke: Any, tiny_anywhere: Any, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, workers in ((one, 1), (two, 2)):
        outcome = invoke(*tiny_anywhere, *OPTIONS, "--workers", workers, "--run-dir", folder)
        assert outcome.code == 0
        assert "p vs REVIEW" in outcome.out
    assert (one / "history.jsonl").read_bytes() == (two / "history.jsonl").read_bytes()
    with RunStore.read(one) as store:
        final = store.result("final")
    names = {"review", "review + evolved 1", "review + random search", "student alone"}
    assert {row["name"] for row in final["rows"]} == names
    assert final["baseline"] == "review"
    assert all(row["errors"] == [] for row in final["rows"])
    again = tmp_path / "again"
    shutil.copytree(one, again)
    unfinish(again, 3)
    assert invoke("--resume", again, "--workers", 1).code == 0
    for name in ("history.jsonl", "best.json"):
        assert (again / name).read_bytes() == (one / name).read_bytes()
    with RunStore.read(again) as store:
        assert store.result("final") == final


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--base", "none"), "to which every tree is added anyway"),
        (("--base", "revue"), "Did you mean 'review'"),
        (("--base", "ab", "--rungs", "2"), "phases of its own, but --rungs 2"),
    ],
)
def test_a_base_that_cannot_be_is_refused_before_anything_is_written(
    invoke: Any, tiny: Any, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = invoke(*tiny, *options, "--run-dir", tmp_path / "run")
    assert outcome.code != 0
    assert message in outcome.err
    assert not (tmp_path / "run").exists()
