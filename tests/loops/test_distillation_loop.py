"""A distiller in a loop of one's own: five lines, and the same numbers as by hand."""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from kdzero_gp import Distillation, Distiller, KdzeroError, save
from kdzero_gp.methods.named import NamedDistiller
from kdzero_gp.models import build
from kdzero_gp.tasks.task import Task

ROOT = Path(__file__).resolve().parents[2]
WINNER = "add(weight(1, kl(logits, 4)), weight(5, l2(stage2)))"
BEFORE = """
import torch
from torch import nn

torch.manual_seed(0)


def network(width):
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2 * width, 5),
    )


student, teacher = network(4), network(8)
images, labels = torch.randn(16, 3, 8, 8), torch.arange(16) % 5
loader = [(images, labels)] * 60
weights = [p.detach().clone() for p in (*student.parameters(), *teacher.parameters())]
"""
AFTER = """
learned = sum(1 for _ in student.parameters())
moved = [not torch.equal(a, b) for a, b in zip(weights, (*student.parameters(), *teacher.parameters()))]
print(all(moved[:learned]), any(moved[learned:]), sum(1 for _ in distil.parameters()))
print(float((distil.logits.argmax(1) == labels).float().mean()), len(distil.terms()), float(loss))
"""


def snippet() -> str:
    text = (ROOT / "docs" / "pages" / "guide" / "own_loop.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_pages_loop_trains_a_student(tmp_path: Path) -> None:
    (tmp_path / "runs" / "NAME").mkdir(parents=True)
    save(Distiller(WINNER, calibration=[0.5, 0.25]), tmp_path / "runs" / "NAME" / "best.json")
    (tmp_path / "own.py").write_text(BEFORE + snippet() + AFTER, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "own.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    moved, learned = done.stdout.splitlines()
    assert moved == "True False 2"  # the student, not the teacher; and the weight and bias of one aligner
    accuracy, terms, loss = (float(word) for word in learned.split())
    assert accuracy > 0.8
    assert terms == 2
    assert loss > 0


def test_at_most_five_lines_are_new() -> None:
    plain = """
optimiser = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)
for images, labels in loader:
    loss = functional.cross_entropy(student(images), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
"""
    before = {line.strip() for line in plain.splitlines()}
    new = [line for line in snippet().splitlines() if line.strip() and line.strip() not in before]
    assert 1 <= len(new) <= 5, new


@pytest.mark.parametrize("text", ["kd", WINNER])
def test_the_loss_is_that_of_distiller_and_cross_entropy(
    task: Task, named: Callable[[str], NamedDistiller], text: str
) -> None:
    student = task.student(1)
    images, labels = task.all_images("train")[:12], task.targets("train")[:12]
    student.train()
    before = {name: value.clone() for name, value in student.state_dict().items()}
    teacher_twin = copy.deepcopy(task.teacher).requires_grad_(True).train()
    teacher_twin.zero_grad()
    distillation = Distillation(student, teacher_twin, text, images[:4])
    assert student.training
    assert all(torch.equal(before[name], value) for name, value in student.state_dict().items())
    known = named(text)
    twin = task.student(1).train()
    distiller = Distiller(known.tree or "", seed=0)
    with task.reader(twin, task.student_taps) as reader:
        knowledge = reader(images)
    teacher = task.teacher_probe(tuple(task.teacher_taps), 12)
    expected = known.ce_weight * functional.cross_entropy(knowledge["logits"], labels)
    expected = expected + distiller(knowledge, teacher, labels)
    loss = distillation(images, labels)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(distillation.logits, knowledge["logits"].detach())
    assert not distillation.logits.requires_grad
    assert sum(p.numel() for p in distillation.parameters()) == sum(p.numel() for p in distiller.parameters())
    loss.backward()
    assert all(p.grad is not None for p in student.parameters())
    assert all(p.grad is None for p in teacher_twin.parameters())


def test_the_teacher_may_be_shown_another_view(task: Task) -> None:
    shown: list[Tensor] = []

    def view(images: Tensor) -> Tensor:
        shown.append(-images)
        return shown[-1]

    images, labels = task.all_images("train")[:6], task.targets("train")[:6]
    distillation = Distillation(task.student(1), task.teacher, "kd", images, teacher_view=view)
    loss = float(distillation(images, labels).detach())
    assert len(shown) >= 2
    plain = Distillation(task.student(1), task.teacher, "kd", images)
    assert float(plain(images, labels).detach()) != loss


def test_what_cannot_be_used_is_told(task: Task) -> None:
    images = task.all_images("train")[:4]
    student = task.student(1)
    for wrong, message in (
        ("none", "student alone"),
        ("kdd", "Did you mean 'kd'"),
        ("weight(1, l2(stage9))", "stage9"),
    ):
        with pytest.raises(KdzeroError, match=message):
            Distillation(student, task.teacher, wrong, images)
    torch.manual_seed(0)
    other: nn.Module = build("cnn2", num_classes=7, in_channels=1)
    with pytest.raises(KdzeroError, match="class"):
        Distillation(other, task.teacher, "kd", images)
