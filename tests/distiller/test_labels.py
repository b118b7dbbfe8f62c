"""Operations that read labels leave out samples without one; what is no class of each sample is one clear error."""

from typing import Any

import pytest
import torch
from torch import Tensor

from kdzero_gp import Distiller, Knowledge, Logits, distance, weight
from kdzero_gp.errors import ConfigError
from kdzero_gp.export.module import standalone_source
from kdzero_gp.grammar.registry import default_registry
from tests.distiller.slow_twin import knowledge

LABELLED = [
    "weight(1, tckd(logits, 4))",
    "weight(2, nckd(logits, 4))",
    "weight(1, w_focal(l2(stage1)))",
    "weight(1, w_focal(tckd(logits, 4)))",
    "add(weight(1, tckd(logits, 4)), weight(2, w_sim(nckd(logits, 4))))",
]
KNOWN = [0, 2, 4]
TARGETS = torch.tensor([1, -100, 3, -100, 6])


def alone(distiller: Distiller) -> Any:
    space: dict[str, Any] = {"__name__": "best"}
    exec(standalone_source(distiller), space)
    return space["Distiller"]()


def rows(side: Knowledge, kept: list[int]) -> Knowledge:
    return side.map(lambda x: x[kept])


@pytest.mark.parametrize("text", ["weight(1, tckd(logits, 4))", "weight(2, nckd(logits, 4))"])
def test_a_distance_is_the_mean_over_the_labelled(text: str) -> None:
    student, teacher = knowledge(0, grad=True), knowledge(1)
    loss = Distiller(text)(student, teacher, TARGETS)
    torch.testing.assert_close(loss, Distiller(text)(rows(student, KNOWN), rows(teacher, KNOWN), TARGETS[KNOWN]))
    (gradient,) = torch.autograd.grad(loss, student["logits"])
    assert not bool(gradient[[1, 3]].any())
    torch.testing.assert_close(alone(Distiller(text))(student, teacher, TARGETS), loss)


def test_a_sample_without_a_label_has_weight_one() -> None:
    student, teacher = knowledge(0), knowledge(1)
    text = "weight(1, w_focal(l2(pool)))"
    loss = Distiller(text)(student, teacher, TARGETS)
    d = [
        sum((a - b) ** 2 for a, b in zip(s, t, strict=True)) / 6 for s, t in zip(*pools(student, teacher), strict=True)
    ]
    u = {i: (1 - float(student["logits"][i].softmax(0)[TARGETS[i]])) ** 2 for i in KNOWN}
    mean = sum(u.values()) / len(u)
    expected = sum(d[i] * (u[i] / mean if i in u else 1) for i in range(5)) / 5
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(alone(Distiller(text))(student, teacher, TARGETS), loss)


def pools(student: Knowledge, teacher: Knowledge) -> tuple[list[list[float]], list[list[float]]]:
    return student["pool"].tolist(), teacher["pool"].tolist()


@pytest.mark.parametrize("text", LABELLED)
def test_no_label_at_all_is_finite_and_whole_labels_are_as_ever(text: str) -> None:
    student, teacher = knowledge(0, grad=True), knowledge(1)
    nobody = Distiller(text)(student, teacher, torch.full((5,), -100))
    assert bool(torch.isfinite(nobody))
    gradients = torch.autograd.grad(nobody, list(student.values()), allow_unused=True, materialize_grads=True)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
    whole = torch.tensor([0, 1, 2, 3, 4])
    losses = {float(Distiller(text)(student, teacher, whole.to(d)).detach()) for d in (torch.int64, torch.int32)}
    assert len(losses) == 1


WRONG = {
    "soft": (torch.softmax(torch.randn(5, 7), 1), r"\(5, 7\) of torch.float32: soft labels, or several"),
    "several": (torch.eye(5, 7, dtype=torch.int64), r"\(5, 7\) of torch.int64: soft labels, or several"),
    "fractions": (torch.rand(5), r"\(5,\) of torch.float32: they are no class numbers"),
    "yes or no": (torch.ones(5, dtype=torch.bool), "torch.bool"),
    "a class too many": (torch.tensor([0, 1, 2, 3, 7]), "from 0 to 6, or -100 .*go from 0 to 7"),
    "negative": (torch.tensor([0, 1, -1, 3, 4]), "go from -1 to 4"),
    "too few": (torch.tensor([0, 1]), "these are 2 labels of 5 samples"),
    "none": (None, "depends on the labels"),
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("text", LABELLED)
def test_other_targets_are_one_clear_error(text: str, fault: str) -> None:
    targets, message = WRONG[fault]
    student, teacher = knowledge(0), knowledge(1)
    with pytest.raises(ConfigError, match=f"`(tckd|nckd|w_focal)`.*{message}"):
        Distiller(text)(student, teacher, targets)
    with pytest.raises(ValueError, match=message):
        alone(Distiller(text))(student, teacher, targets)


@pytest.mark.parametrize("targets", [WRONG["soft"][0], WRONG["several"][0], TARGETS, None])
def test_what_reads_no_labels_takes_any(targets: Tensor | None) -> None:
    assert Distiller("weight(1, w_sim(kl(logits, 4)))")(knowledge(0), knowledge(1), targets).isfinite()


def test_an_operation_for_independent_classes_gets_the_targets_as_they_are() -> None:
    seen = []
    with default_registry().copy().active():

        @distance(Logits, labels=True, classes="independent")
        def each_class(student: Tensor, teacher: Tensor, *, targets: Tensor) -> Tensor:
            seen.append(targets)
            return ((student - teacher).square() * (1 + targets)).mean(1)

        @weight(labels=True, classes="independent")
        def how_many(student: Tensor, teacher: Tensor, *, targets: Tensor) -> Tensor:
            return targets.sum(1)

        several = torch.eye(5, 7)
        distiller = Distiller("weight(1, how_many(each_class(logits)))")
        loss = distiller(knowledge(0), knowledge(1), several)
    assert seen[-1] is several
    expected = ((knowledge(0)["logits"] - knowledge(1)["logits"]).square() * (1 + several)).mean()
    torch.testing.assert_close(loss, expected)


def test_an_operation_for_several_classes_gets_them_as_they_are() -> None:
    with default_registry().copy().active():

        @distance(Logits, labels=True, classes="independent")
        def missed(student: torch.Tensor, teacher: torch.Tensor, *, targets: torch.Tensor) -> torch.Tensor:
            return ((student - teacher).square() * targets).mean(1)

        several = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
        student, teacher = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), torch.zeros(2, 3)
        loss = Distiller("weight(1, missed(logits))")(Knowledge(logits=student), Knowledge(logits=teacher), several)
        assert float(loss) == pytest.approx((1 + 9) / 3 / 2)
