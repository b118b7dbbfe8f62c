"""A batch in parts, of passes or of processes, trains as the whole batch in one does."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from kdzero_gp.data import Dataset
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.loops.ranks import Ranks
from kdzero_gp.loops.sharded import ShardedTraining
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.named import NamedDistiller, make_loss
from kdzero_gp.models import build
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task

ROOT = Path(__file__).resolve().parents[2]
RECIPE = Recipe(epochs=3, batch_size=32, lr=0.1)
SEEDS = {"student_seed": 1, "order_seed": 2}
FEATURES = "add(weight(5, l2(mask(stage2))), weight(1, kl(logits, 4)))"
MODULES = ["crd(negatives=40)", "ksanc", "ab"]
"""Methods with a memory, with a critic, with phases."""
TEXTS = ["none", "kd", "dkd", "sp", "dist", FEATURES, *MODULES]
"""`sp` and `dist` compare the samples of a batch with one another; `FEATURES` has an aligner and random masks."""


def distiller(named: NamedDistiller) -> Distiller | MethodLoss | None:
    return make_loss(named.tree, named.module, ("stage1", "stage2"), seed=3)


def assert_close(ours: dict[str, Tensor], theirs: dict[str, Tensor], tolerance: float = 2e-3) -> None:
    """Rounding alone may differ: a wrong loss differs by a hundred times as much."""
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if not name.startswith("random."):
            torch.testing.assert_close(ours[name], value, rtol=tolerance, atol=tolerance, msg=name)


@pytest.mark.parametrize("text", TEXTS)
def test_undivided_it_is_training_to_the_bit(task: Task, named: Callable[[str], NamedDistiller], text: str) -> None:
    plain = Training(task, distiller(named(text)), task.recipe, **SEEDS, distiller_warmup=3)
    whole = ShardedTraining(task, distiller(named(text)), task.recipe, **SEEDS, distiller_warmup=3)
    plain.advance(plain.steps)
    whole.advance(whole.steps)
    assert all(torch.equal(whole.state()[name], value) for name, value in plain.state().items())


@pytest.mark.parametrize("text", TEXTS)
def test_several_passes_are_one(unnormed_task: Task, named: Callable[[str], NamedDistiller], text: str) -> None:
    options = SEEDS | {"distiller_warmup": 4}
    plain = Training(unnormed_task, distiller(named(text)), unnormed_task.recipe, **options)
    parts = ShardedTraining(unnormed_task, distiller(named(text)), unnormed_task.recipe, **options, accumulate=3)
    plain.advance(plain.steps)
    parts.advance(parts.steps)
    assert_close(parts.state(), plain.state())


def test_several_passes_in_bfloat16(
    few_digits: Dataset, teacher: nn.Module, named: Callable[[str], NamedDistiller]
) -> None:
    """Halves and floats meet where the loss is put together."""

    def student() -> nn.Module:
        return build("cnn2", num_classes=10, in_channels=1)

    recipe = replace(RECIPE, epochs=1)
    task = Task("halved", teacher, student, few_digits, recipe=recipe, proxy=recipe, amp=True)
    training = ShardedTraining(task, distiller(named(FEATURES)), recipe, **SEEDS, accumulate=2)
    training.advance(training.steps)
    assert 0 < training.meter.take()[0] < 10
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in training.student.parameters())


def test_averaging_the_losses_of_parts_would_not_do(
    unnormed_task: Task, named: Callable[[str], NamedDistiller]
) -> None:
    """What the two rounds are for: the same comparison fails for half batches with a relational distiller."""
    plain = Training(unnormed_task, distiller(named("sp")), unnormed_task.recipe, **SEEDS)
    images, labels, teacher = plain.feed(plain.order[0], 0)
    with torch.no_grad(), unnormed_task.reader(plain.student, plain.taps) as reader:
        whole = float(distiller(named("sp"))(reader(images), teacher, labels))  # type: ignore[misc]
        halves = 0.0
        for part in plain.order[0].chunk(2):
            images, labels, teacher = plain.feed(part, 0)
            halves += float(distiller(named("sp"))(reader(images), teacher, labels)) / 2  # type: ignore[misc]
    assert abs(halves / whole - 1) > 0.05


def test_a_round_that_is_done_twice_leaves_no_trace(task: Task, named: Callable[[str], NamedDistiller]) -> None:
    """Running statistics move once for each pass of a step, and a student's dropout draws the same twice."""

    class WithDropout(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner, self.dropout = inner, nn.Dropout(0.3)

        def forward(self, images: Tensor) -> Tensor:
            scores: Tensor = self.inner(self.dropout(images))
            return scores

    build = lambda: WithDropout(task.student(5))  # noqa: E731
    with_dropout = Task("dropout", task.teacher, build, task.data, recipe=task.recipe, proxy=task.recipe)
    parts = ShardedTraining(with_dropout, distiller(named("kd")), task.recipe, **SEEDS, accumulate=2)
    parts.advance(1)
    tracked = next(v for n, v in parts.student.state_dict().items() if n.endswith("num_batches_tracked"))
    assert int(tracked) == 2
    again = ShardedTraining(with_dropout, distiller(named("kd")), task.recipe, **SEEDS, accumulate=2)
    again.advance(1)
    assert all(torch.equal(a, b) for a, b in zip(parts.student.parameters(), again.student.parameters(), strict=True))
    alone = ShardedTraining(with_dropout, None, replace(task.recipe, ce_weight=0.1), **SEEDS, accumulate=2)
    alone.advance(1)  # one round: its random numbers end where those of the second round do
    assert torch.equal(alone.state()["random.cpu"], parts.state()["random.cpu"])


def test_the_meter_adds_up_to_the_loss(task: Task, named: Callable[[str], NamedDistiller]) -> None:
    training = ShardedTraining(task, distiller(named("dkd")), task.recipe, **SEEDS, distiller_warmup=6)
    losses = []
    backward = training._backward

    def kept(*arguments: object) -> Tensor:
        losses.append(backward(*arguments))  # type: ignore[arg-type]
        return losses[-1]

    training._backward = kept  # type: ignore[assignment]
    training.advance(training.per_epoch)
    loss, terms = training.meter.take()
    assert loss == pytest.approx(sum(float(value.detach()) for value in losses) / len(losses), rel=1e-6)
    assert sum(terms.values()) == pytest.approx(loss)
    assert [name.partition("(")[0] for name in terms] == ["ce", "weight", "weight"]


def test_a_method_that_needs_its_batch_whole_says_so(task: Task, named: Callable[[str], NamedDistiller]) -> None:
    with pytest.raises(ConfigError, match=r"needs its whole batch in one pass .* --accumulate is 2 and the processes"):
        ShardedTraining(task, distiller(named("jacobian")), task.recipe, **SEEDS, accumulate=2)


def test_a_batch_that_cannot_be_shared_out_is_refused(task: Task) -> None:
    with pytest.raises(ConfigError, match="--accumulate is 33, but must be 1 to 32"):
        ShardedTraining(task, None, task.recipe, **SEEDS, accumulate=33)
    with pytest.raises(ConfigError, match="32 images, but must be a multiple of the 5 processes; change --batch-size"):
        Ranks(0, 5).check(32)


def test_two_processes_are_one(task: Task, named: Callable[[str], NamedDistiller], tmp_path: Path) -> None:
    """Batch normalisation, an aligner, random masks and relations between samples, over gloo."""
    script = Path(__file__).with_name("rank_process.py")
    torch.save(task.teacher.state_dict(), tmp_path / "teacher.pt")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    texts = ["none", "sp", FEATURES, *MODULES]
    done = subprocess.run(
        [*command, str(script), str(tmp_path), *texts], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for number, text in enumerate(texts):
        plain = Training(task, distiller(named(text)), task.recipe, **SEEDS, distiller_warmup=3)
        plain.advance(plain.steps)
        first, second = (load_file(tmp_path / f"{number}.{rank}.safetensors") for rank in (0, 1))
        assert_close(first, plain.state())
        for name, value in first.items():
            assert name.startswith("random.") or torch.equal(second[name], value), f"the processes differ in {name}"
