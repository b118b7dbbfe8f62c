"""Student and teacher of different shapes."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kdzero_gp import Distiller, Knowledge, parse, random_tree
from kdzero_gp.errors import TapError
from kdzero_gp.grammar.grammar import default_grammar
from tests.distiller.slow_twin import SlowTwin, knowledge, targets

S, T = (3, 4, 6), (5, 4, 8)


def test_no_aligner_where_shapes_agree() -> None:
    for text in ("weight(1, l2(stage1))", "weight(1, kl(logits, 4))"):
        assert not list(Distiller(text).prepare(knowledge(0), knowledge(1)).parameters())


def test_channels_are_mapped_on_the_students_side() -> None:
    student, teacher = knowledge(0, channels=S, grad=True), knowledge(1, channels=T)
    distiller = Distiller("weight(1, l2(stage1))")
    loss = distiller(student, teacher)
    aligner = distiller.aligners["stage1"]
    assert {n: tuple(p.shape) for n, p in distiller.named_parameters()} == {
        "aligners.stage1.weight": (5, 3),
        "aligners.stage1.bias": (5,),
    }
    mapped = F.conv2d(student["stage1"], aligner.weight[:, :, None, None], aligner.bias)
    torch.testing.assert_close(loss, (mapped - teacher["stage1"]).square().mean())
    loss.backward()
    assert aligner.weight.grad.abs().sum() > 0
    assert student["stage1"].grad is not None


@pytest.mark.parametrize(("mine", "theirs"), [((8, 4, 4), (4, 4, 4)), ((4, 4, 4), (8, 4, 4)), ((6, 4, 4), (4, 4, 4))])
def test_resolutions_meet_at_the_smaller(mine: tuple[int, int, int], theirs: tuple[int, int, int]) -> None:
    student, teacher = knowledge(0, sizes=mine), knowledge(1, sizes=theirs)
    distiller = Distiller("weight(1, l2(stage1))")
    loss = distiller(student, teacher)
    size = min(mine[0], theirs[0])
    s, t = (F.adaptive_avg_pool2d(k["stage1"], size) for k in (student, teacher))
    torch.testing.assert_close(loss, (s - t).square().mean())
    assert not list(distiller.parameters())
    assert "stage1" in distiller.aligners


def test_height_and_width_are_matched_apart() -> None:
    student, teacher = Knowledge(stage1=torch.randn(2, 3, 8, 2)), Knowledge(stage1=torch.randn(2, 3, 4, 6))
    loss = Distiller("weight(1, l2(stage1))")(student, teacher)
    s, t = (F.adaptive_avg_pool2d(k["stage1"], (4, 2)) for k in (student, teacher))
    torch.testing.assert_close(loss, (s - t).square().mean())


def test_vectors_are_mapped() -> None:
    student, teacher = knowledge(0, width=6), knowledge(1, width=9)
    distiller = Distiller("weight(1, l1(pool))")
    loss = distiller(student, teacher)
    aligner = distiller.aligners["pool"]
    mapped = student["pool"] @ aligner.weight.T + aligner.bias
    torch.testing.assert_close(loss, (mapped - teacher["pool"]).abs().mean())


@pytest.mark.parametrize("text", ["weight(1, kl(logits, 4))", "weight(1, l2(relu(logits)))", "weight(1, hard(logits))"])
def test_different_classes_are_refused(text: str) -> None:
    with pytest.raises(TapError, match="7 classes and the teacher 9"):
        Distiller(text)(knowledge(0, classes=7), knowledge(1, classes=9))


@pytest.mark.parametrize(
    "text",
    [
        "weight(1, l2(mm(stage1)))",
        "weight(1, l2(mm(satt(stage1))))",
        "weight(1, l2(pdist(stage1)))",
        "weight(1, l2(mm(pool)))",
        "weight(1, l2(angles(pool)))",
    ],
)
def test_erased_differences_need_no_aligner(text: str) -> None:
    student = knowledge(0, channels=S, width=6, sizes=(8, 4, 4))
    teacher = knowledge(1, channels=T, width=9, sizes=(4, 4, 4))
    distiller = Distiller(text)
    assert distiller(student, teacher).isfinite()
    assert not list(distiller.aligners)


CHANNELS_DO_NOT_MATTER = [
    "weight(1, mmd(norm_hw(stage1)))",
    "weight(1, mmd(channel(stage1)))",
    "weight(1, hsic(stage1))",
    "weight(1, hsic(pool))",
    "weight(1, l2(norm_hw(satt_map(stage1))))",
    "weight(1, l2(mean_c(scale_r2(stage1))))",
]


@pytest.mark.parametrize("sizes", [(8, 4, 4), (6, 4, 4), (12, 4, 4)])
@pytest.mark.parametrize("text", CHANNELS_DO_NOT_MATTER)
def test_what_does_not_mind_channels_learns_nothing(text: str, sizes: tuple[int, int, int]) -> None:
    """Maps of two resolutions meet at the smaller, and that is all: as published, for nst and at."""
    student = knowledge(0, channels=S, width=6, sizes=(8, 4, 4), dtype=torch.float64)
    teacher = knowledge(1, channels=T, width=9, sizes=sizes, dtype=torch.float64)
    distiller = Distiller(text).prepare(student, teacher)
    assert not list(distiller.parameters())
    size = min(8, sizes[0])
    pooled = [Knowledge(**{**k, "stage1": F.adaptive_avg_pool2d(k["stage1"], size)}) for k in (student, teacher)]
    torch.testing.assert_close(distiller(student, teacher), Distiller(text)(*pooled))


def test_nst_between_different_channels_is_huangs() -> None:
    student, teacher = (knowledge(i, channels=c, dtype=torch.float64) for i, c in enumerate((S, T)))
    s, t = (F.normalize(k["stage1"].flatten(2), dim=2) for k in (student, teacher))

    def kernel(a: Tensor, b: Tensor) -> float:
        pairs = [(u @ v) ** 2 for x, y in zip(a, b, strict=True) for u in x for v in y]
        return float(sum(pairs)) / len(pairs)

    expected = 50 * (kernel(s, s) + kernel(t, t) - 2 * kernel(s, t))
    loss = Distiller("weight(50, mmd(norm_hw(stage1)))")(student, teacher)
    assert float(loss) == pytest.approx(expected, rel=1e-9)


def test_one_tap_can_be_mapped_for_one_distance_and_only_pooled_for_another() -> None:
    student, teacher = knowledge(0, channels=S, sizes=(8, 4, 4)), knowledge(1, channels=T, sizes=(4, 4, 4))
    both = Distiller("add(weight(1, mmd(stage1)), weight(1, l2(stage1)))").prepare(student, teacher)
    both(student, teacher)
    terms = both.terms()
    for text in ("weight(1, mmd(stage1))", "weight(1, l2(stage1))"):
        torch.testing.assert_close(terms[text], Distiller(text).prepare(student, teacher)(student, teacher).detach())
    assert [name for name, _ in both.named_parameters()] == ["aligners.stage1.weight", "aligners.stage1.bias"]


def test_resolution_erased_by_pooling_and_channels_by_averaging() -> None:
    student, teacher = knowledge(0, sizes=(8, 4, 4)), knowledge(1, sizes=(4, 4, 4))
    assert not list(Distiller("weight(1, l2(mean_hw(stage1)))").prepare(student, teacher).aligners)
    assert not list(Distiller("weight(1, l2(bmm(stage1)))").prepare(student, teacher).aligners)
    student, teacher = knowledge(0, channels=S), knowledge(1, channels=T)
    assert not list(Distiller("weight(1, l2(mean_c(stage1)))").prepare(student, teacher).aligners)
    assert list(Distiller("weight(1, l2(mean_hw(stage1)))").prepare(student, teacher).aligners) == ["stage1"]


def test_one_tap_can_be_aligned_for_one_distance_and_plain_for_another() -> None:
    student, teacher = knowledge(0, channels=S), knowledge(1, channels=T)
    distiller = Distiller("add(weight(1, l2(mm(satt(stage1)))), weight(1, l2(satt(stage1))))")
    loss = distiller(student, teacher)
    terms = distiller.terms()
    alone = Distiller("weight(1, l2(mm(satt(stage1))))")(student, teacher)
    torch.testing.assert_close(terms["weight(1, l2(mm(satt(stage1))))"], alone)
    torch.testing.assert_close(sum(terms.values()), loss.detach())


def test_changed_shapes_are_refused_and_a_changed_batch_is_not() -> None:
    distiller = Distiller("weight(1, l2(stage1))").prepare(knowledge(0), knowledge(1))
    assert distiller(knowledge(0, batch=3), knowledge(1, batch=3)).isfinite()
    with pytest.raises(TapError, match=r"the student's `stage1` has shape \(5, 9, 8, 8\), but .* \(N, 3, 8, 8\)"):
        distiller(knowledge(0, channels=(9, 4, 6)), knowledge(1))
    with pytest.raises(TapError, match="the teacher's `stage1`"):
        distiller(knowledge(0), knowledge(1, channels=(9, 4, 6)))


def test_aligners_depend_on_the_seed_alone() -> None:
    student, teacher = knowledge(0, channels=S), knowledge(1, channels=T)
    text = "add(weight(1, l2(stage1)), weight(1, l2(stage3)))"
    torch.manual_seed(1)
    one = Distiller(text, seed=5).prepare(student, teacher).state_dict()
    torch.manual_seed(2)
    two = Distiller(text, seed=5).prepare(student, teacher).state_dict()
    three = Distiller(text, seed=6).prepare(student, teacher).state_dict()
    assert list(one) == list(two) == list(three)
    assert all(torch.equal(one[n], two[n]) for n in one)
    assert not torch.equal(one["aligners.stage1.weight"], three["aligners.stage1.weight"])


def test_double_precision_passes_an_aligner() -> None:
    student, teacher = (knowledge(i, channels=c, dtype=torch.float64) for i, c in enumerate((S, T)))
    loss = Distiller("weight(1, l2(stage1))")(student, teacher)
    single = Distiller("weight(1, l2(stage1))")(student.map(lambda x: x.float()), teacher.map(lambda x: x.float()))
    torch.testing.assert_close(loss.float(), single)


def doubled(knowledge: Knowledge) -> Knowledge:
    return knowledge.map(lambda tensor: tensor.double())


@settings(max_examples=75)
@given(st.integers(0, 2**32 - 1))
def test_random_trees_agree_with_the_slow_twin(seed: int) -> None:
    for offset in range(4):  # 75 · 4 = 300 trees
        tree = random_tree(seed + offset, grammar=default_grammar(extended=bool(offset % 2)))
        # in float64: some trees are so steep somewhere that float32's rounding shows in the gradient
        student = doubled(knowledge(seed, channels=S, sizes=(8, 4, 4), width=6)).map(Tensor.requires_grad_)
        teacher = doubled(knowledge(seed + 1, channels=T, sizes=(6, 8, 4), width=9))
        fast, slow = Distiller(tree), SlowTwin(tree)
        losses = fast(student, teacher, targets()), slow(student, teacher, targets())
        assert losses[0].isfinite()
        torch.testing.assert_close(*losses, rtol=1e-8, atol=1e-9, msg=lambda m, tree=tree: f"{tree}\n{m}")
        if not losses[1].requires_grad:
            continue
        taps = list(student.values())
        gradients = [torch.autograd.grad(loss, taps, allow_unused=True, materialize_grads=True) for loss in losses]
        for actual, expected in zip(*gradients, strict=True):
            assert actual.isfinite().all(), tree
            error = (actual - expected).norm() / expected.norm().clamp(min=1e-6)
            assert error < 1e-6, f"{tree}: gradient differs by {error}"


def test_the_twin_is_not_the_distiller() -> None:
    """A twin that agreed with everything would prove nothing."""
    student, teacher = knowledge(0, grad=True), knowledge(1)
    tree, other = parse("weight(1, l2(stage1))"), parse("weight(1, l2(stage2))")
    assert SlowTwin(tree)(student, teacher, targets()) != Distiller(other)(student, teacher)
