"""A dozen formulas against plain computation, and what a call promises beside its number."""

import contextlib
import copy
import gc
import math
import weakref
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kdzero_gp import Distiller, Knowledge, Map, Vector, distance, parse, transform, weight
from kdzero_gp.errors import ConfigError, KdzeroError, ParseError, TapError
from kdzero_gp.grammar.registry import default_registry
from tests.distiller.slow_twin import knowledge, targets

Plain = Callable[[Knowledge, Knowledge, Tensor], Tensor]


def mse(s: Tensor, t: Tensor) -> Tensor:
    return (s - t).square().mean()


def hinton(s: Tensor, t: Tensor, tau: float) -> Tensor:
    return tau**2 * F.kl_div((s / tau).log_softmax(1), (t / tau).softmax(1), reduction="batchmean")


def spatial(x: Tensor) -> Tensor:
    rows = []
    for sample in x:
        energy = sample.abs().mean(0)
        share = torch.softmax(energy.flatten() / 0.5, 0).view_as(energy) * energy.numel()
        rows.append(sample * share.sqrt())
    return torch.stack(rows)


def weighted(u: Tensor, d: Tensor) -> Tensor:
    return (u.detach() / u.detach().mean() * d).mean()


def certainty(z: Tensor) -> Tensor:
    p = z.softmax(1)
    return 1 + (p * p.log()).sum(1) / math.log(z.shape[1])


FORMULAS: dict[str, Plain] = {
    "weight(1, kl(logits, 4))": lambda s, t, y: hinton(s["logits"], t["logits"], 4),
    "weight(0.05, kl(logits, 1))": lambda s, t, y: 0.05 * hinton(s["logits"], t["logits"], 1),
    "weight(5, l2(stage1))": lambda s, t, y: 5 * mse(s["stage1"], t["stage1"]),
    "weight(1, l1(pool))": lambda s, t, y: (s["pool"] - t["pool"]).abs().mean(),
    "weight(100, l2(satt(stage3)))": lambda s, t, y: 100 * mse(spatial(s["stage3"]), spatial(t["stage3"])),
    "weight(1, hard(logits))": lambda s, t, y: F.cross_entropy(s["logits"], t["logits"].argmax(1)),
    "weight(1, l2(mm(stage1)))": lambda s, t, y: mse(
        s["stage1"].flatten(1) @ s["stage1"].flatten(1).T / s["stage1"][0].numel(),
        t["stage1"].flatten(1) @ t["stage1"].flatten(1).T / t["stage1"][0].numel(),
    ),
    "weight(1, cosine(pool))": lambda s, t, y: (1 - F.cosine_similarity(s["pool"], t["pool"])).mean(),
    "weight(1, smooth_l1(relu(stage2)))": lambda s, t, y: F.smooth_l1_loss(s["stage2"].relu(), t["stage2"].relu()),
    "weight(10, w_entropy(l1(stage2)))": lambda s, t, y: (
        10 * weighted(certainty(t["logits"]), (s["stage2"] - t["stage2"]).abs().flatten(1).mean(1))
    ),
    "weight(1, w_focal(l2(logits)))": lambda s, t, y: weighted(
        (1 - s["logits"].softmax(1)[torch.arange(len(y)), y]).square(),
        (s["logits"] - t["logits"]).square().mean(1),
    ),
    "weight(1, l2(scale_r2(stage1)))": lambda s, t, y: mse(F.max_pool2d(s["stage1"], 2), F.max_pool2d(t["stage1"], 2)),
    "weight(1, l1(margin_relu(stage1)))": lambda s, t, y: (
        (
            s["stage1"]
            - torch.stack([torch.maximum(c, c[c < 0].mean()) for c in t["stage1"].transpose(0, 1)]).transpose(0, 1)
        )
        .abs()
        .mean()
    ),
    "add(weight(1, kl(logits, 4)), add(weight(5, l2(pool)), weight(0.1, l1(no(pool)))))": lambda s, t, y: (
        hinton(s["logits"], t["logits"], 4) + 5 * mse(s["pool"], t["pool"]) + 0.1 * (s["pool"] - t["pool"]).abs().mean()
    ),
}


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_plain_computation_agrees(text: str, dtype: torch.dtype) -> None:
    student, teacher, y = knowledge(0, dtype=dtype, grad=True), knowledge(1, dtype=dtype), targets()
    loss = Distiller(text)(student, teacher, y)
    expected = FORMULAS[text](student, teacher, y)
    assert loss.shape == ()
    assert loss.dtype is dtype
    torch.testing.assert_close(loss, expected)
    taps = [student[tap] for tap in Distiller(text).taps if "w_" not in text or tap != "logits" or "(logits" in text]
    for actual, wanted in zip(torch.autograd.grad(loss, taps), torch.autograd.grad(expected, taps), strict=True):
        torch.testing.assert_close(actual, wanted)


def test_text_tree_and_identity_wrappers_are_one() -> None:
    student, teacher = knowledge(0), knowledge(1)
    text = "weight(1, l2(no(satt(no(stage1)))))"
    losses = {Distiller(d)(student, teacher).item() for d in (text, parse(text), parse(text).canonical())}
    assert len(losses) == 1


@pytest.mark.parametrize("text", ["", "stage1", "weight(1, l2(nothing))"])
def test_a_bad_text_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        Distiller(text)


def test_targets_are_needed_only_by_what_reads_them() -> None:
    student, teacher = knowledge(0), knowledge(1)
    assert Distiller("weight(1, w_sim(l2(pool)))")(student, teacher).isfinite()


def test_shared_parts_are_computed_once_per_side() -> None:
    calls: list[tuple[tuple[int, ...], bool]] = []
    with default_registry().copy().active():

        @transform(Map)
        def counted(x: Tensor) -> Tensor:
            calls.append((tuple(x.shape), torch.is_grad_enabled()))
            return x * 2

        text = (
            "add(weight(1, l2(satt(counted(stage1)))), add(weight(1, l1(counted(stage1))), "
            "weight(5, w_conf(l1(counted(no(stage1)))))))"
        )
        distiller = Distiller(text)
        student, teacher = knowledge(0, grad=True), knowledge(1, grad=True)
        distiller.prepare(student, teacher)
        calls.clear()
        loss = distiller(student, teacher)
    assert len(calls) == 2
    assert sorted(grad for _, grad in calls) == [False, True], "the teacher's branch builds a graph"
    d = 2 * (student["stage1"] - teacher["stage1"]).detach().abs().flatten(1).mean(1)
    conf = teacher["logits"].detach().softmax(1).amax(1)
    parts = 5 * weighted(conf, d) + d.mean() + mse(spatial(2 * student["stage1"]), spatial(2 * teacher["stage1"]))
    torch.testing.assert_close(loss.detach(), parts.detach())


def test_a_shared_distance_is_computed_once() -> None:
    calls = []
    with default_registry().copy().active():

        @distance(Vector)
        def counted(student: Tensor, teacher: Tensor) -> Tensor:
            calls.append(1)
            return (student - teacher).abs().mean(1)

        distiller = Distiller("add(weight(1, counted(pool)), weight(5, w_conf(counted(pool))))")
        calls.clear()
        distiller(knowledge(0), knowledge(1))
    assert len(calls) == 1


@pytest.mark.parametrize(
    "text", ["weight(1, l2(stage1))", "weight(1, l2(satt(stage1)))", "weight(1, w_sim(kl(logits, 4)))"]
)
@pytest.mark.parametrize("channels", [3, 5])
def test_the_teacher_gets_no_gradient(text: str, channels: int) -> None:
    student = knowledge(0, grad=True)
    teacher = knowledge(1, channels=(channels, 4, 6), sizes=(12, 4, 4), grad=True)
    Distiller(text)(student, teacher, targets()).backward()
    assert all(x.grad is None for x in teacher.values())
    assert any(x.grad is not None and x.grad.abs().sum() > 0 for x in student.values())


def test_sample_weights_have_mean_one_and_no_gradient() -> None:
    student, teacher = knowledge(0, grad=True), knowledge(1)
    loss = Distiller("weight(1, w_sim(l2(pool)))")(student, teacher)
    assert torch.autograd.grad(loss, student["logits"], allow_unused=True) == (None,)
    with default_registry().copy().active():

        @weight
        def w_first(student: Tensor, teacher: Tensor) -> Tensor:
            return torch.arange(student.shape[0], dtype=student.dtype) * 1e-3

        @weight
        def w_zero(student: Tensor, teacher: Tensor) -> Tensor:
            return torch.zeros(student.shape[0])

        d = (student["pool"] - teacher["pool"]).square().mean(1)
        first = Distiller("weight(1, w_first(l2(pool)))")(student, teacher)
        torch.testing.assert_close(first, (d * torch.tensor([0, 0.5, 1, 1.5, 2])).mean())
        zero = Distiller("weight(1, w_zero(l2(pool)))")(student, teacher)
        torch.testing.assert_close(zero, d.mean())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "text", ["weight(1, kl(logits, 4))", "weight(1, w_sim(l2(satt(stage1))))", "weight(1, l2(mm(pool)))"]
)
def test_half_precision_is_computed_in_single(text: str, dtype: torch.dtype) -> None:
    student, teacher = knowledge(0, dtype=dtype, grad=True), knowledge(1, channels=(5, 4, 6), dtype=dtype)
    loss = Distiller(text)(student, teacher, targets())
    wide = Distiller(text)(student.map(lambda x: x.float()), teacher.map(lambda x: x.float()), targets())
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss, wide, rtol=0, atol=0)
    loss.backward()
    assert all(x.grad is None or (x.grad.dtype is dtype and x.grad.isfinite().all()) for x in student.values())


def test_autocast_does_not_lower_the_precision() -> None:
    student, teacher = knowledge(0), knowledge(1)
    distiller = Distiller("weight(1, l2(mm(stage1)))")
    outside = distiller(student, teacher)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = distiller(student, teacher)
    torch.testing.assert_close(inside, outside, rtol=0, atol=0)


@pytest.mark.parametrize("operation", ["mask", "drop"])
def test_random_masks_are_shared_and_repeatable(operation: str) -> None:
    student = Knowledge(stage1=torch.ones(6, 8, 5, 5))
    same = Distiller(f"weight(1, l2({operation}(stage1)))")
    assert all(same(student, student).item() == 0 for _ in range(5)), "the sides got different masks"
    teacher = Knowledge(stage1=torch.zeros(6, 8, 5, 5))
    first, second, other = (Distiller(f"weight(1, l2({operation}(stage1)))", seed=seed) for seed in (3, 3, 4))
    state = torch.random.get_rng_state()
    stream = [first(student, teacher).item() for _ in range(6)]
    assert torch.equal(state, torch.random.get_rng_state()), "the global generator was drawn from"
    assert stream == [second(student, teacher).item() for _ in range(6)]
    assert stream != [other(student, teacher).item() for _ in range(6)]
    assert len(set(stream)) > 1


def test_terms_add_up_and_are_named() -> None:
    distiller = Distiller("add(weight(5, l2(pool)), weight(1, kl(logits, 4)))", calibration=[2.0, 3.0])
    assert distiller.terms() == {}
    student, teacher = knowledge(0, grad=True), knowledge(1)
    loss = distiller(student, teacher)
    terms = distiller.terms()
    assert list(terms) == ["weight(1, kl(logits, 4))", "weight(5, l2(pool))"]
    torch.testing.assert_close(sum(terms.values()), loss.detach())
    assert not any(value.requires_grad for value in terms.values())
    kl = hinton(student["logits"], teacher["logits"], 4).detach()
    torch.testing.assert_close(terms["weight(1, kl(logits, 4))"], 2 * kl)


def test_terms_of_one_distance_are_one_term() -> None:
    term = "weight({}, l2(pool))"
    distiller = Distiller(f"add({term.format(1)}, add({term.format(0.5)}, {term.format(1)}))")
    loss = distiller(knowledge(0), knowledge(1))
    assert list(distiller.terms()) == [term.format(2.5)]
    single = Distiller(term.format(1))(knowledge(0), knowledge(1))
    torch.testing.assert_close(loss, 2.5 * single)


@pytest.mark.parametrize("calibration", [[], [1.0], [1.0, 2.0, 3.0]])
def test_calibration_has_one_factor_per_term(calibration: list[float]) -> None:
    with pytest.raises(ConfigError, match=f"has {len(calibration)} factors, but the distiller has 2 terms"):
        Distiller("add(weight(1, l2(pool)), weight(1, l1(pool)))", calibration=calibration)


def test_a_missing_tap_names_what_there_is() -> None:
    with pytest.raises(TapError, match="no tap `stage1` here; this knowledge has pool"):
        Distiller("weight(1, l2(stage1))")(Knowledge(pool=torch.ones(2, 3)), knowledge(1))
    with pytest.raises(TapError, match="logits"):
        Distiller("weight(1, w_conf(l2(pool)))")(Knowledge(pool=torch.ones(5, 6)), knowledge(1))


def test_the_state_travels() -> None:
    student, teacher = knowledge(0), knowledge(1, channels=(5, 4, 6))
    text = "add(weight(1, l2(stage1)), weight(1, kl(logits, 4)))"
    one = Distiller(text, calibration=[3.0, 0.1]).prepare(student, teacher)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.add_(torch.randn_like(parameter))
    other = Distiller(text, seed=9).prepare(student, teacher)
    assert one(student, teacher) != other(student, teacher)
    other.load_state_dict(one.state_dict())
    torch.testing.assert_close(other(student, teacher), one(student, teacher), rtol=0, atol=0)


def test_a_used_distiller_can_be_copied() -> None:
    student, teacher = knowledge(0, grad=True), knowledge(1, channels=(5, 4, 6))
    one = Distiller("weight(1, l2(stage1))")
    before = one(student, teacher)
    other = copy.deepcopy(one)
    with torch.no_grad():
        next(iter(other.parameters())).mul_(10)
    torch.testing.assert_close(one(student, teacher), before)
    assert other(student, teacher) != before, "the copy uses the original's aligner"


class Box:
    """Something that a graph holds on to."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def test_the_last_call_is_not_kept_alive() -> None:
    student, teacher = knowledge(0, grad=True), knowledge(1)
    distiller = Distiller("weight(1, l2(exp(stage1)))")
    saved = []

    def pack(tensor: Tensor) -> Box:
        box = Box(tensor.detach())  # an operation that saves its own result must not hold itself
        saved.append(weakref.ref(box))
        return box

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda box: box.tensor):
        distiller(student, teacher)
    gc.collect()
    assert saved
    assert not any(box() for box in saved), "the graph of the last batch stays in memory"


def test_many_terms_are_compiled_or_refused() -> None:
    texts = ["weight(1, l2(pool))"] * 1024
    while len(texts) > 1:
        texts = [f"add({a}, {b})" for a, b in zip(texts[::2], texts[1::2], strict=True)]
    with contextlib.suppress(KdzeroError):
        Distiller(texts[0])
