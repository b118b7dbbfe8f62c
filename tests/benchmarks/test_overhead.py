"""The overhead benchmark: its summary, the usual loop's pipeline, and a small run."""

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from benchmarks import overhead, overhead_loops, overhead_pair
from benchmarks.overhead_parts import step_parts
from benchmarks.result import read_result
from kdzero_gp.data import Augmentation


def test_the_summary_is_over_the_trees_that_did_not_diverge() -> None:
    ratios = [1.0, 1.1, None, 1.2, 2.0]
    rows = [{"bare ms": None if r is None else 10.0, "ratio": r} for r in ratios]
    row = overhead.summary_row(rows, "a -> b", 1, None)
    assert (row["trees"], row["diverged"], row["largest"]) == (4, 1, 2.0)
    assert row["median ratio"] == pytest.approx(1.15)
    assert row["90th percentile"] == pytest.approx(1.2 + 0.7 * 0.8)


def test_both_loops_train_the_same_student_on_the_same_kind_of_images() -> None:
    task = overhead_pair.make_pair(128, None, "cpu", Augmentation(padding=4, flip=True), overhead.QUICK_PAIR)
    images, labels = next(overhead_loops.usual_batches(task))
    served, own_labels, _ = task.feed(())(torch.arange(overhead_pair.BATCH), 0)
    assert images.shape == served.shape
    assert labels.shape == own_labels.shape
    darkest = -torch.tensor(overhead_pair.MEAN) / torch.tensor(overhead_pair.STD)
    for batch in (images, served):
        torch.testing.assert_close(batch.amin((0, 2, 3)), darkest)


def test_steps_take_turns() -> None:
    calls: list[str] = []
    times = overhead_loops.interleaved([lambda: calls.append("a"), lambda: calls.append("b")], 2, torch.device("cpu"))
    assert calls == ["a", "b"] * 3
    assert [len(taken) for taken in times] == [2, 2]


def test_the_compiled_student_is_timed_beside_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(student: torch.nn.Module) -> torch.nn.Module:
        student.register_forward_pre_hook(lambda *_: calls.append(1))
        return student

    monkeypatch.setattr(torch, "compile", counted)
    task = overhead_pair.make_pair(128, None, "cpu", names=overhead.QUICK_PAIR)
    name = "the same by torch.compile, not used"
    assert name not in step_parts(task)
    step = step_parts(task, compiled=True)[name]
    before = len(calls)
    step()
    assert len(calls) == before + 1


def test_a_small_run(tmp_path: Path) -> None:
    out = tmp_path / "overhead.json"
    done = CliRunner().invoke(overhead.app, ["--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = read_result(out)
    rows = result.part("candidates")
    assert len(rows) == 2
    assert all(float(str(row["ratio"])) > 0 for row in rows)
    assert {row["step"] for row in result.part("loops")} >= {"student alone", "usual loop's KD"}
    assert all(float(str(row["ms"])) > 0 for row in result.part("parts"))
    assert len(result.claims) == 3
