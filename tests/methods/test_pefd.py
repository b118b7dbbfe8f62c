"""The projector ensemble against its formula in plain loops."""

import torch
from torch import Tensor

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.pefd import ProjectorEnsemble
from tests.methods.conftest import TARGETS, assert_same, gradients, knowledge, prepared


def test_it_is_the_cosine_of_the_mean_projection() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    loss = prepared("pefd", student, teacher)
    assert isinstance(loss, ProjectorEnsemble)

    def by_hand(s: Knowledge, t: Knowledge) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for own, other in zip(s["pool"], t["pool"], strict=True):
            mean = torch.zeros(7, dtype=torch.float64)
            for number in range(3):
                weight, bias = loss.ensemble[number].parameters()
                mean = mean + (weight @ own + bias) / 3
            cosine = (mean @ other) / ((mean**2).sum() * (other**2).sum()).sqrt()
            total = total + 25 * (1 - cosine) / 4
        return total

    assert_same(loss, by_hand, student, teacher)


def test_projectors_differ_at_first_and_their_number_is_an_option() -> None:
    student, teacher = knowledge(0, channels=5), knowledge(50, channels=7)
    loss = prepared("pefd(projectors=5)", student, teacher)
    assert isinstance(loss, ProjectorEnsemble)
    firsts = [
        float(projector.weight[0, 0].detach()) for projector in loss.ensemble if isinstance(projector, torch.nn.Linear)
    ]
    assert len(set(firsts)) == len(firsts) == 5


def test_projections_along_the_teachers_features_cost_nothing() -> None:
    both = knowledge(0, gradient=True)
    loss = prepared("pefd", both, both)
    assert isinstance(loss, ProjectorEnsemble)
    with torch.no_grad():
        for place, projector in enumerate(loss.ensemble):
            assert isinstance(projector, torch.nn.Linear)
            projector.weight.copy_((place + 1) * torch.eye(6))  # the length does not matter
            projector.bias.zero_()
    value = loss(both, both.detach(), TARGETS)
    assert abs(float(value.detach())) < 1e-12
    assert float(gradients(value, both)["pool"].abs().max()) < 1e-12
