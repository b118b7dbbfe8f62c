"""Contrastive distillation against its formula in plain loops: scores, memories, constants, negatives."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.crd import Crd
from kdzero_gp.methods.world import Now, World
from tests.methods.conftest import TARGETS, assert_same, knowledge, prepared

LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 1])
INDEX = torch.tensor([3, 8, 4, 2])  # of the classes 0, 2, 1, 2, as the targets of the batch
WORLD = World(samples=10, labels=LABELS, classes=3)


def both(**options: Any) -> tuple[Knowledge, Knowledge, Crd]:
    student, teacher = knowledge(0, channels=5, gradient=True), knowledge(50, channels=7)
    text = f"crd({', '.join(f'{name}={value}' for name, value in options.items())})"
    loss = prepared(text, student, teacher, WORLD)
    assert isinstance(loss, Crd)
    return student, teacher, loss


def embedded(layer: Any, vector: Tensor) -> Tensor:
    value = layer.weight @ vector + layer.bias
    return value / value.square().sum().sqrt()


def by_hand(
    loss: Crd,
    memories: tuple[Tensor, Tensor],
    drawn: list[list[int]],
    constants: list[float],
    s: Knowledge,
    t: Knowledge,
) -> Tensor:
    """Both sides' losses with memories (student's, teacher's); constants of 0 are set by the scores."""
    total = torch.zeros((), dtype=torch.float64)
    sides = ((s["pool"], loss.embed_student, memories[1]), (t["pool"], loss.embed_teacher, memories[0]))
    for place, (pools, layer, memory) in enumerate(sides):
        raw = [
            [torch.exp(memory[number] @ embedded(layer, pool) / 0.07) for number in (int(own), *negatives)]
            for pool, own, negatives in zip(pools, INDEX, drawn, strict=True)
        ]
        scores = [score for row in raw for score in row]
        if constants[place] == 0:
            constants[place] = 10 * float(sum(score.detach() for score in scores)) / len(scores)
        noise = len(drawn[0]) / 10
        for row in raw:
            own, *others = [score / constants[place] for score in row]
            total = total - torch.log(own / (own + noise + 1e-7)) / 4
            for other in others:
                total = total - torch.log(noise / (other + noise + 1e-7)) / 4
    return 0.8 * total


@pytest.mark.parametrize("negatives", [3, 30])
def test_two_steps_are_the_papers(negatives: int) -> None:
    student, teacher, loss = both(negatives=negatives, width=6)
    constants = [0.0, 0.0]
    for step in range(2):
        now = Now(index=INDEX, step=step, seed=9)
        memories = loss.memory_student.clone(), loss.memory_teacher.clone()
        drawn = loss._drawn(TARGETS, now).tolist()

        def paper(s: Knowledge, t: Knowledge, memories: Any = memories, drawn: Any = drawn) -> Tensor:
            return by_hand(loss, memories, drawn, constants, s, t)

        assert_same(loss, paper, student, teacher, now=now)
        torch.testing.assert_close(loss.constants, torch.tensor(constants, dtype=torch.float64))
        for memory, before, layer, side in (
            (loss.memory_student, memories[0], loss.embed_student, student),
            (loss.memory_teacher, memories[1], loss.embed_teacher, teacher),
        ):
            for number in range(10):
                wanted = before[number]
                if number in INDEX.tolist():
                    wanted = (wanted + embedded(layer, side["pool"][INDEX.tolist().index(number)])) / 2
                    wanted = wanted / wanted.square().sum().sqrt()
                torch.testing.assert_close(memory[number], wanted.detach(), rtol=1e-9, atol=1e-12)


def test_negatives_are_of_other_classes_each_once_unless_there_are_fewer() -> None:
    *_, loss = both(negatives=6)
    seen = set()
    for step in range(60):
        drawn = loss._drawn(TARGETS, Now(step=step))
        for row, target in zip(drawn.tolist(), TARGETS.tolist(), strict=True):
            assert len(set(row)) == 6
            assert all(int(LABELS[number]) != target for number in row)
            seen |= {(target, number) for number in row}
    wanted = {(t, n) for t in (0, 1, 2) for n in range(10) if int(LABELS[n]) != t}
    assert seen == wanted
    *_, loss = both(negatives=50)
    assert loss._drawn(TARGETS, Now()).shape == (4, 50)


def test_the_same_step_draws_the_same_and_another_others() -> None:
    *_, loss = both(negatives=5)
    first = loss._drawn(TARGETS, Now(step=3, seed=1))
    assert torch.equal(first, loss._drawn(TARGETS, Now(step=3, seed=1)))
    assert not torch.equal(first, loss._drawn(TARGETS, Now(step=4, seed=1)))


def test_a_large_memory_is_gathered_to_the_same_scores() -> None:
    from kdzero_gp.methods.crd import _similarities

    generator = torch.Generator().manual_seed(0)
    memory = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    anchor = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    numbers = torch.randint(40, (2, 30), generator=generator)
    product = _similarities(anchor, memory, numbers)
    torch.testing.assert_close(product[:, :5], _similarities(anchor, memory, numbers[:, :5]))


def test_memories_begin_uniform_and_one_class_alone_is_refused() -> None:
    student, teacher, loss = both()
    bound = 1 / math.sqrt(128 / 3)
    for memory in (loss.memory_student, loss.memory_teacher):
        assert 0.8 * bound < float(memory.max()) <= bound
        assert -bound <= float(memory.min()) < -0.8 * bound
    with pytest.raises(ConfigError, match="of one"):
        prepared("crd", student, teacher, World(samples=4, labels=torch.zeros(4, dtype=torch.int64), classes=3))
