"""`Distillation` leaves networks alone, and can be closed, copied, pickled and used at several image sizes."""

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp import Distillation, Distiller, Knowledge, parse
from kdzero_gp.errors import TapError
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.read import TapReader

IMAGES = torch.randn(7, 3, 16, 16, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(7) % 5
TEXT = "add(weight(1, l2(stage2)), weight(1, kl(logits, 4)))"


class Net(nn.Module):
    """Two stages, 16x16 and 8x8."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(width, 2 * width, 3, 2, 1), nn.BatchNorm2d(2 * width), nn.ReLU())
        self.fc = nn.Linear(2 * width, 5)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.b(self.a(x)).mean((2, 3)))
        return scores


def pair() -> tuple[Net, Net]:
    torch.manual_seed(0)
    return Net(4), Net(8)


def hooks(model: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)


def test_a_frozen_layer_stays_frozen_and_a_teacher_keeps_its_modes() -> None:
    student, teacher = pair()
    student.train()
    student.a[1].eval()
    teacher.train()
    teacher.b[1].eval()
    modes = [[module.training for module in model.modules()] for model in (student, teacher)]
    frozen = student.a[1].running_mean.clone()
    taught = {name: value.clone() for name, value in teacher.state_dict().items()}
    with Distillation(student, teacher, TEXT, IMAGES) as distil:
        distil(IMAGES, LABELS).backward()
    assert [[module.training for module in model.modules()] for model in (student, teacher)] == modes
    assert torch.equal(student.a[1].running_mean, frozen)
    assert all(torch.equal(value, taught[name]) for name, value in teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert hooks(student) == hooks(teacher) == 0


class Observed(Net):
    """Keeps the largest activation that it saw, in evaluation too."""

    largest: Tensor

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.register_buffer("largest", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.largest.copy_(torch.maximum(self.largest, x.abs().max()))
        return super().forward(x)


def test_a_teachers_observers_see_nothing_and_a_students_see_its_batches() -> None:
    student, teacher = Observed(4), Observed(8)
    distil = Distillation(student, teacher, TEXT, 9 * IMAGES)
    assert float(student.largest) == 0
    distil(IMAGES, LABELS).backward()
    assert float(teacher.largest) == 0
    assert float(student.largest) == float(IMAGES.abs().max())


def test_a_student_that_is_its_own_teacher_goes_on_training() -> None:
    student = Net(4).train()
    distil = Distillation(student, student, "kd", IMAGES)
    distil(IMAGES, LABELS).backward()
    assert all(module.training for module in student.modules())


@pytest.mark.parametrize("way", ["deepcopy", "pickle", "torch.save"])
def test_a_copy_goes_on_alone_to_the_same_numbers(way: str) -> None:
    student, teacher = pair()
    distil = Distillation(student, teacher, TEXT, IMAGES)
    distil(IMAGES, LABELS).backward()
    if way == "deepcopy":
        twin = copy.deepcopy(distil)
    elif way == "pickle":
        twin = pickle.loads(pickle.dumps(distil))
    else:
        file = io.BytesIO()
        torch.save(distil, file)
        file.seek(0)
        twin = torch.load(file, weights_only=False)
    for one, two in zip(distil.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one, two)
        assert one is not two
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert float(distil(IMAGES, LABELS)) != float(twin(IMAGES, LABELS))
    with torch.no_grad():
        for one, two in zip(distil.parameters(), twin.parameters(), strict=True):
            two.copy_(one)
    assert torch.equal(distil(IMAGES, LABELS), twin(IMAGES, LABELS))


@pytest.mark.parametrize("act", [pickle.dumps, copy.deepcopy, lambda model: torch.jit.script(model.eval())])
def test_a_student_between_two_steps_is_as_if_nobody_read_it(act: Any) -> None:
    student, teacher = pair()
    distil = Distillation(student, teacher, TEXT, IMAGES)
    distil(IMAGES, LABELS).backward()
    student.zero_grad()
    act(student)


def test_trees_and_distillers_cross_a_process_boundary() -> None:
    for text in ("weight(0.1, kl(logits, 4))", TEXT, "weight(3, w_entropy(l1(norm_n(stage12))))"):
        tree = parse(text)
        assert pickle.loads(pickle.dumps(tree)) == tree
    distiller = Distiller(TEXT, calibration=(2.0, 3.0), seed=5)
    student, teacher = pair()
    readers = [TapReader(model, find_taps(model, IMAGES)) for model in (student, teacher)]
    first = distiller(readers[0](IMAGES), readers[1](IMAGES))
    twin = pickle.loads(pickle.dumps(distiller))
    assert torch.equal(twin(readers[0](IMAGES), readers[1](IMAGES)), first)
    unprepared = pickle.loads(pickle.dumps(Distiller(TEXT, calibration=(2.0, 3.0), seed=5)))
    assert torch.equal(unprepared(readers[0](IMAGES), readers[1](IMAGES)), first)


def test_one_training_at_several_image_sizes() -> None:
    student, teacher = pair()
    distil = Distillation(student, teacher, "weight(1, l2(stage2))", IMAGES)
    (weight, bias) = distil.parameters()
    for size in (16, 24, 16, 32):
        images = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(size))
        student.eval()
        teacher.eval()
        distil.ce_weight = 0.0
        ours, theirs = student.b(student.a(images)), teacher.b(teacher.a(images))
        aligned = torch.einsum("oc,nchw->nohw", weight, ours) + bias.view(1, -1, 1, 1)
        expected = Distiller("weight(1, l2(stage2))")
        value = expected(Knowledge(stage2=aligned), Knowledge(stage2=theirs))
        torch.testing.assert_close(distil(images, LABELS[:4]), value)
    assert [tuple(p.shape) for p in distil.parameters()] == [(16, 8), (16,)]
    other = TapReader(Net(6), find_taps(Net(6), IMAGES))
    with pytest.raises(TapError, match="make a new Distiller for another pair"):
        distil.distiller(other(IMAGES), other(IMAGES))


def test_networks_without_a_penultimate_vector_teach_by_their_logits() -> None:
    def squeezed(width: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.Conv2d(width, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )

    student, teacher = squeezed(4), squeezed(8)
    distil = Distillation(student, teacher, "kd", IMAGES)
    distil(IMAGES, LABELS).backward()
    assert student[0].weight.grad is not None
    with pytest.raises(TapError, match="no linear layer gives the logits"):
        Distillation(student, teacher, "weight(1, l2(pool))", IMAGES)


def test_data_parallel_over_several_devices_is_refused() -> None:
    student, teacher = pair()
    wrapped = nn.DataParallel(student)
    Distillation(wrapped, teacher, TEXT, IMAGES)(IMAGES, LABELS).backward()
    wrapped.device_ids = [0, 1]
    with pytest.raises(TapError, match=r"DataParallel over 2 devices.*DistributedDataParallel"):
        Distillation(wrapped, teacher, TEXT, IMAGES)


def test_a_compiled_student_gives_what_a_plain_one_gives() -> None:
    student, teacher = pair()
    plain = copy.deepcopy(student)
    compiled: Any = torch.compile(student, backend="eager")
    compiled(IMAGES)  # its graph exists before anybody watches it
    plain(IMAGES)
    losses = [Distillation(model, teacher, TEXT, IMAGES)(IMAGES, LABELS) for model in (compiled, plain)]
    assert torch.equal(losses[0], losses[1])
    losses[0].backward()
    losses[1].backward()
    for one, two in zip(student.parameters(), plain.parameters(), strict=True):
        assert one.grad is not None
        assert two.grad is not None
        assert torch.equal(one.grad, two.grad)
    in_place = copy.deepcopy(plain)
    in_place.b.compile(backend="eager")
    assert find_taps(in_place, IMAGES) == find_taps(plain, IMAGES) == find_taps(compiled, IMAGES)
