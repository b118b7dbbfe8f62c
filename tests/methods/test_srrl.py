"""SRRL against its formula in plain loops, with a real classifier behind it."""

import torch
from torch import Tensor, nn

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.registry import method
from kdzero_gp.methods.srrl import Srrl
from kdzero_gp.methods.world import World
from kdzero_gp.tasks.task import Task
from tests.methods.conftest import assert_same, gradients, knowledge, networks, prepared


def by_hand(loss: Srrl, classifier: nn.Linear, s: Knowledge, t: Knowledge) -> Tensor:
    """mean (pool(r) − pool_t)² + mean (head(pool(r)) − z_t)², r = ReLU(BN(conv(s))) by the batch's statistics."""
    convolution, norm = loss.transform[0], loss.transform[1]
    matrix, maps = convolution.weight[:, :, 0, 0], s["stage3"]
    projected = torch.stack(
        [torch.stack([matrix @ maps[n, :, i, j] for i in range(2) for j in range(2)], 1) for n in range(4)]
    )  # (N, C_t, 4)
    pooled = []
    for channel in range(projected.shape[1]):
        values = projected[:, channel].flatten()
        mean = values.sum() / len(values)
        variance = ((values - mean) ** 2).sum() / len(values)
        standard = (projected[:, channel] - mean) / (variance + norm.eps).sqrt()
        pooled.append((standard * norm.weight[channel] + norm.bias[channel]).clamp(min=0).sum(1) / 4)
    total = torch.zeros((), dtype=torch.float64)
    for sample in range(4):
        vector = torch.stack([channel[sample] for channel in pooled])
        scores = classifier.weight.detach() @ vector + classifier.bias.detach()
        total = total + ((vector - t["pool"][sample]) ** 2).sum() / t["pool"].numel()
        total = total + ((scores - t["logits"][sample]) ** 2).sum() / t["logits"].numel()
    return total


def test_it_is_feature_matching_and_softmax_regression() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    classifier = nn.Linear(7, 3).double()
    loss = prepared("srrl", student, teacher, World(**networks(teacher_head=classifier)))
    assert isinstance(loss, Srrl)
    with torch.no_grad():
        loss.transform[1].weight.uniform_(0.5, 2)
        loss.transform[1].bias.uniform_(-1, 1)
    assert_same(loss, lambda s, t: by_hand(loss, classifier, s, t), student, teacher)
    loss(student, teacher).backward()
    assert classifier.weight.grad is None
    assert classifier.bias.grad is None
    assert all(parameter.grad is not None for parameter in loss.learned())


def test_on_the_pooled_vector_the_transform_is_the_same_on_a_map_of_one_place() -> None:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    world = World(**networks(teacher_head=nn.Linear(7, 3).double()))
    loss = prepared("srrl(on=pool)", student, teacher, world)
    assert loss.student_taps == ("pool",)
    assert set(gradients(loss(student, teacher), student)) == {"pool"}


def test_the_classifier_of_a_real_teacher_gives_its_own_scores(task: Task) -> None:
    loss = method("srrl").loss(task.student_taps.stages)
    Training(task, loss, task.recipe, student_seed=0, order_seed=0)
    assert isinstance(loss, Srrl)
    taught = task.teacher_probe(("pool", "logits"), 8)
    torch.testing.assert_close(loss.head(taught["pool"]), taught["logits"])
    assert torch.equal(loss.head.weight, task.teacher.fc.weight)
