"""Operations with parameters of their own, inside a distiller: where their modules come from, and that they train."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp import Distiller, Knowledge, Map, transform
from kdzero_gp.export.module import standalone_source
from kdzero_gp.grammar.registry import Registry, default_registry

HINT = "weight(100, l2(hint(stage2)))"
BOTH = "add(weight(1, l2(hint(stage1))), weight(5, cosine(project(pool))))"
NARROW, WIDE = (3, 4, 6), (5, 7, 9)


def knowledge(seed: int, channels: tuple[int, ...] = NARROW, *, grad: bool = False) -> Knowledge:
    generator = torch.Generator().manual_seed(seed)

    def tensor(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).requires_grad_(grad)

    stages = {f"stage{i}": tensor(6, c, s, s) for i, (c, s) in enumerate(zip(channels, (8, 4, 2), strict=True), 1)}
    return Knowledge(**stages, pool=tensor(6, channels[-1]), logits=tensor(6, 5))


TARGETS = torch.tensor([0, 1, 2, 3, 4, 0])


def prepared(text: str, channels: tuple[int, ...] = NARROW, seed: int = 3) -> Distiller:
    return Distiller(text, seed=seed).prepare(knowledge(0), knowledge(1, channels))


def test_learned_operations_and_aligners_train_together() -> None:
    distiller = prepared(BOTH, WIDE)
    student, teacher = knowledge(0), knowledge(1, WIDE)
    optimiser = torch.optim.Adam(distiller.parameters(), lr=0.03)
    before = {name: parameter.detach().clone() for name, parameter in distiller.named_parameters()}
    losses = []
    for _ in range(30):
        loss = distiller(student, teacher, TARGETS)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.9 * losses[0]
    assert {name.split(".")[0] for name in before} == {"aligners", "learned"}
    # a shift before batch normalisation has no effect, so the aligner's bias below `hint` stays where it is
    still = {name for name, parameter in distiller.named_parameters() if torch.equal(parameter, before[name])}
    assert still <= {"aligners.stage1.bias"}


def test_the_teacher_has_no_learned_side() -> None:
    assert all(name.startswith("student_") for name in prepared(BOTH, WIDE).learned)


@pytest.mark.parametrize("channels", [NARROW, WIDE])
@pytest.mark.parametrize("text", [HINT, BOTH, "weight(1, l2(project(hint(stage3))))"])
def test_a_copy_and_a_state_dict_carry_everything(text: str, channels: tuple[int, ...]) -> None:
    student, teacher = knowledge(4), knowledge(5, channels)
    trained = prepared(text, channels)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1)
    fresh = prepared(text, channels, seed=8)
    expected = trained(student, teacher, TARGETS)
    assert not torch.equal(fresh(student, teacher, TARGETS), expected)
    fresh.load_state_dict(trained.state_dict())
    torch.testing.assert_close(fresh(student, teacher, TARGETS), expected)
    torch.testing.assert_close(copy.deepcopy(trained)(student, teacher, TARGETS), expected)


def test_one_operation_below_an_aligned_and_a_plain_distance_has_a_module_for_each() -> None:
    """The Gram matrix erases the difference in channels, the other distance has to bridge it: 3 channels and 5."""
    text = "add(weight(1, l2(mm(project(stage1)))), weight(1, l2(project(stage1))))"
    distiller = prepared(text, WIDE)
    learned = {name: p for name, p in distiller.named_parameters() if name.startswith("learned")}
    assert sorted(p.shape[0] for name, p in learned.items() if name.endswith("bias")) == [3, 5]
    assert distiller(knowledge(0), knowledge(1, WIDE), TARGETS).isfinite()


SIZES = {
    "equal": (8, 8),
    "half": (8, 4),
    "double": (4, 8),
    "smaller": (7, 5),
    "much larger, pooled": (3, 7),
}


@pytest.mark.parametrize("channels", [(3, 3), (3, 5)])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_fitnets_regressor_is_the_authors(sizes: tuple[int, int], channels: tuple[int, int]) -> None:
    """Its own layer for each relation of sizes, from the student's channels to the teacher's, and no aligner before."""
    (own, other), (C, c) = sizes, channels
    student = Knowledge(stage2=torch.randn(6, C, own, own, generator=torch.Generator().manual_seed(0)).requires_grad_())
    teacher = Knowledge(stage2=torch.randn(6, c, other, other, generator=torch.Generator().manual_seed(1)))
    distiller = Distiller(HINT, seed=3)
    loss = distiller.prepare(student, teacher)(student, teacher)
    assert not [name for name, _ in distiller.named_parameters() if name.startswith("aligners")]
    layer: nn.Module
    if own == 2 * other:
        layer = nn.Conv2d(C, c, kernel_size=3, stride=2, padding=1)
    elif other == 2 * own:
        layer = nn.ConvTranspose2d(C, c, kernel_size=4, stride=2, padding=1)
    elif own >= other:
        layer = nn.Conv2d(C, c, kernel_size=1 + own - other)
    else:
        layer = nn.Conv2d(C, c, kernel_size=1)
    (learned,) = distiller.learned.values()
    with torch.no_grad():
        layer.weight.copy_(learned.weight)  # type: ignore[operator,arg-type]
    regressor = nn.Sequential(layer, nn.BatchNorm2d(c), nn.ReLU())
    taught = teacher["stage2"]
    if sizes == (3, 7):
        taught = nn.functional.adaptive_avg_pool2d(taught, 3)
    expected = 100 * (regressor(student["stage2"]) - taught).square().mean()
    torch.testing.assert_close(loss, expected)
    gradients = [torch.autograd.grad(x, student["stage2"])[0] for x in (loss, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-6)


def test_a_subtree_that_two_distances_share_has_one_module() -> None:
    distiller = prepared("add(weight(1, l2(hint(stage1))), weight(1, l2(norm_c(hint(stage1)))))")
    assert len(distiller.learned) == 1


@pytest.mark.parametrize("channels", [NARROW, WIDE])
@pytest.mark.parametrize(
    "text", [HINT, BOTH, "add(weight(1, l2(mm(hint(stage1)))), weight(1, l2(project(hint(stage1)))))"]
)
def test_a_stand_alone_file_has_the_same_numbers_and_names(text: str, channels: tuple[int, ...]) -> None:
    student, teacher = knowledge(6), knowledge(7, channels)
    distiller = prepared(text, channels)
    space: dict[str, Any] = {"__name__": "best"}
    exec(standalone_source(distiller), space)
    shapes = [{tap: x.shape[1:] for tap, x in side.items()} for side in (student, teacher)]
    alone: nn.Module = space["Distiller"](*shapes)
    torch.testing.assert_close(alone(student, teacher, TARGETS), distiller(student, teacher, TARGETS))
    with torch.no_grad():
        for parameter in distiller.parameters():
            parameter.mul_(1.5)
    weights: Mapping[str, Tensor] = distiller.state_dict()
    alone.load_state_dict({name: value for name, value in weights.items() if name != "calibration"})
    torch.testing.assert_close(alone(student, teacher, TARGETS), distiller(student, teacher, TARGETS))


class Mixing(nn.Module):
    """A 1 × 1 convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("oc,nchw->nohw", self.weight, x)


def test_nested_operations_on_both_sides_are_numbered_alike_in_a_stand_alone_file() -> None:
    with Registry(default_registry()).active():

        @transform(Map, learned=True)
        def mixing(shape: tuple[int, ...]) -> nn.Module:
            return Mixing(shape[1])

        distiller = Distiller("weight(1, l2(mixing(relu(mixing(stage2)))))", seed=2)
        student, teacher = knowledge(0), knowledge(1)
        space: dict[str, Any] = {"__name__": "best"}
        exec(standalone_source(distiller), space)
        torch.testing.assert_close(space["Distiller"]()(student, teacher, TARGETS), distiller(student, teacher))


def test_calibration_scales_a_learned_term_to_the_cross_entropys_gradient() -> None:
    trunk = nn.Conv2d(2, 4, 3, padding=1)
    images = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    maps = trunk(images)
    student = Knowledge(stage2=maps, logits=maps.mean((2, 3)))
    teacher = Knowledge(stage2=torch.randn(6, 4, 4, 4), logits=torch.randn(6, 4))
    labels = TARGETS % 4
    distiller = Distiller("weight(1, l2(hint(stage2)))", seed=1)
    distiller.calibrate(student, teacher, labels, trunk.parameters())

    def length(loss: Tensor) -> Tensor:
        gradients = torch.autograd.grad(loss, list(trunk.parameters()), retain_graph=True)
        return torch.cat([g.flatten() for g in gradients]).norm()

    ce = nn.functional.cross_entropy(student["logits"], labels)
    torch.testing.assert_close(length(distiller(student, teacher, labels)), length(ce))
