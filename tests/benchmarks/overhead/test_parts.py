"""The parts of a step."""

import pytest
import torch

from benchmarks.overhead import pair
from benchmarks.overhead.parts import step_parts


def test_the_compiled_student_is_timed_beside_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def counted(student: torch.nn.Module) -> torch.nn.Module:
        student.register_forward_pre_hook(lambda *_: calls.append(1))
        return student

    monkeypatch.setattr(torch, "compile", counted)
    task = pair.make_pair(128, None, "cpu", names=pair.QUICK_PAIR)
    name = "the same by torch.compile, not used"
    assert name not in step_parts(task)
    step = step_parts(task, compiled=True)[name]
    before = len(calls)
    step()
    assert len(calls) == before + 1
