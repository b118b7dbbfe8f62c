"""SimKD: a projection to the teacher's map, and the teacher's own classifier behind it in training and test."""

import torch
from torch import Tensor

from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.evaluate.full import FullTrainer
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.simkd import Projected, SimKd, projector
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.task import Task
from kdzero_gp.tasks.whole_split import knowledge_of


def trained(task: Task, steps: int) -> Training:
    recipe = Recipe(epochs=2, batch_size=32, lr=0.1, ce_weight=0.0)
    training = Training(
        task, make_loss(None, "simkd", task.student_taps.stages, seed=3), recipe, student_seed=1, order_seed=2
    )
    training.advance(steps)
    return training


def test_its_loss_is_the_mean_squared_distance_of_the_projection(task: Task) -> None:
    training = trained(task, 1)
    method, student = training.method, training.student
    assert isinstance(method, SimKd)
    assert isinstance(student, Projected)
    images, targets, teacher = training.feed(training.order[1], 0)
    with task.reader(student, training.taps) as reader:
        known = reader(images)
    value = method(known, teacher, targets)
    projected, wanted = student.projector(known["stage3"]), teacher["stage3"]
    total = torch.zeros(())
    for own, other in zip(projected.detach().double().flatten(), wanted.double().flatten(), strict=True):
        total = total + (own - other) ** 2
    torch.testing.assert_close(value.detach(), total.float() / wanted.numel(), rtol=1e-5, atol=1e-7)


def test_scores_are_the_teachers_classifiers_of_the_pooled_projection(task: Task) -> None:
    training = trained(task, 2)
    student = training.student.eval()
    assert isinstance(student, Projected)
    images = task.first_images("test", 5)
    with task.reader(student, ("stage3", "pool", "logits")) as reader, torch.no_grad():
        known = reader(images)
        pooled = student.projector(known["stage3"]).mean((2, 3))
    wanted = torch.stack([task.teacher.fc.weight @ vector + task.teacher.fc.bias for vector in pooled])
    torch.testing.assert_close(known["logits"], wanted)
    assert known["pool"].shape == (5, 8)  # the bare student's
    found = knowledge_of(task, student, "test", ("logits",))["logits"]
    torch.testing.assert_close(found[:5], known["logits"])


def test_projector_and_student_train_and_the_classifier_stays(task: Task) -> None:
    before = trained(task, 0)
    began = {name: value.clone() for name, value in before.student.state_dict().items()}
    after = trained(task, 3).student.state_dict()
    own = set(task.student(0).state_dict())
    assert {name.removeprefix("student.") for name in after if name.startswith("student.")} == own
    for name, value in after.items():
        if name.startswith("classifier."):
            assert torch.equal(value, task.teacher.state_dict()[f"fc.{name.removeprefix('classifier.')}"])
        elif name.startswith("projector.") or (name.endswith("weight") and "fc" not in name):
            assert not torch.equal(value, began[name]), name


def test_one_pass_moves_the_projectors_statistics_once(task: Task) -> None:
    training = trained(task, 3)
    counts = [v for name, v in training.student.state_dict().items() if "projector" in name and "num_batches" in name]
    assert counts
    assert all(int(count) == 3 for count in counts)


def test_a_full_training_measures_the_wrapped_student(task: Task) -> None:
    trainer = FullTrainer(task, run_seed=0)
    result = trainer.alone(Candidate(None, module="simkd", ce_weight=0.0), 0, "test")
    assert result.error is None
    assert result.parts is not None
    assert 0 <= result.parts["accuracy"] <= 1


def test_the_projector_has_the_published_layers() -> None:
    layers: list[tuple[int, ...]] = [tuple(p.shape) for p in projector(4, 10, 2).parameters() if p.dim() == 4]
    assert layers == [(5, 4, 1, 1), (5, 5, 3, 3), (10, 5, 1, 1)]
    assert projector(4, 10, 2)(torch.zeros(2, 4, 3, 3)).shape == (2, 10, 3, 3)
    assert isinstance(projector(4, 10, 2)[-1](Tensor([-1.0])), Tensor)
