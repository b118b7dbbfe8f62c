"""The evaluator: one candidate in, one record out, the same each time, whatever the candidate does."""

import time
from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest
import torch
from torch import Tensor

from kdzero_gp import Vector, distance, parse, transform
from kdzero_gp.evaluate.candidate import Candidate, FullTraining
from kdzero_gp.evaluate.evaluator import EvaluationSettings, Evaluator
from kdzero_gp.evaluate.fitness import FITNESS, eq2
from kdzero_gp.evaluate.screen import Screening
from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.execute.protocol import FullJob
from kdzero_gp.grammar.registry import Registry, active_registry
from kdzero_gp.randomness import derive_seed
from kdzero_gp.store.record import Evaluation
from kdzero_gp.tasks.task import Task

KD = "weight(1, kl(logits, 4))"
FEATURE = "weight(5, l2(stage2))"
MASKED = "weight(1, l2(mask(stage1)))"
BATCH = 32
"""Of a training step; a screening sees 64 images and a probe at registration 4."""


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A registry of the test's own, active while it runs."""
    with active_registry().copy().active() as copied:
        yield copied


def evaluate(evaluator: Evaluator, text: str) -> Evaluation:
    tree = parse(text)
    screening = evaluator.screen(tree)
    if isinstance(screening, Evaluation):
        return screening
    (evaluation,) = evaluator.train([screening.candidate(text)], 0)
    assert evaluation.state is None, "one rung is the last one"
    return evaluation


def passed(evaluator: Evaluator, text: str) -> Screening:
    screening = evaluator.screen(parse(text))
    assert isinstance(screening, Screening), screening
    return screening


def lasting(evaluation: Evaluation) -> dict[str, object]:
    """All of a record that two equal evaluations share."""
    return {name: value for name, value in asdict(evaluation).items() if name not in ("seconds", "host")}


@pytest.mark.parametrize("text", [KD, FEATURE, MASKED])
def test_the_same_candidate_gets_the_same_record_bit_for_bit(task: Task, text: str) -> None:
    first = Evaluator(task, EvaluationSettings(run_seed=3))
    torch.manual_seed(1)
    alone = evaluate(first, text)
    assert alone.status == "ok", alone.error
    torch.manual_seed(2)
    assert lasting(evaluate(first, text)) == lasting(alone)
    second = Evaluator(task, EvaluationSettings(run_seed=3))
    for other in (FEATURE, "weight(1, cosine(pool))", KD, MASKED):
        evaluate(second, other)
    assert lasting(evaluate(second, text)) == lasting(alone)


def test_a_record_tells_what_was_measured(task: Task) -> None:
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, fitness="eq2"))
    evaluation = evaluate(evaluator, KD)
    assert evaluation.fitness == eq2(evaluation.parts, {})
    assert evaluation.fitness == sum(evaluation.parts[name] for name in ("ce", "sharpness_gap", "cka_gap"))
    assert evaluation.steps == 2 * (192 // BATCH)
    assert evaluation.seed == derive_seed(3, "distiller")
    assert len(evaluation.calibration) == 1
    assert evaluation.seconds > 0


def test_another_run_seed_gives_another_student(task: Task) -> None:
    one, two = (evaluate(Evaluator(task, EvaluationSettings(run_seed=seed)), KD) for seed in (3, 4))
    assert one.parts != two.parts


def test_calibration_gives_every_term_the_gradient_of_cross_entropy(task: Task) -> None:
    scaled = passed(Evaluator(task, EvaluationSettings(run_seed=3)), KD).calibration
    plain = passed(Evaluator(task, EvaluationSettings(run_seed=3, calibrate=False)), KD).calibration
    assert plain == (1.0,)
    student = task.student(derive_seed(3, "student")).train()
    images, labels = task.all_images("train")[:64], task.targets("train")[:64]
    z_s, z_t = student(images), task.teacher(images)
    p_t = torch.softmax(z_t / 4, 1)
    kl = 16 * (p_t * (p_t.log() - torch.log_softmax(z_s / 4, 1))).sum(1).mean()
    ce = -torch.log_softmax(z_s, 1)[torch.arange(64), labels].mean()
    lengths = []
    for loss in (ce, kl):
        gradients = torch.autograd.grad(loss, list(student.parameters()), retain_graph=True)
        lengths.append(sum(float(g.double().square().sum()) for g in gradients) ** 0.5)
    assert scaled[0] == pytest.approx(lengths[0] / lengths[1], rel=1e-4)


@pytest.mark.usefixtures("registry")
def test_a_training_that_diverges_is_nan(evaluator: Evaluator) -> None:
    @distance(Vector)
    def undefined_in_training(student: Tensor, teacher: Tensor) -> Tensor:
        d = (student - teacher).square().mean(1)
        return d * float("nan") if len(d) == BATCH else d

    evaluation = evaluate(evaluator, "weight(1, undefined_in_training(logits))")
    assert (evaluation.status, evaluation.fitness) == ("nan", None)
    assert evaluation.error is not None
    assert "nan" in evaluation.error


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("batch", [64, BATCH], ids=["in the screening", "in the training"])
@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (ZeroDivisionError("by design"), "error"),
        (SystemExit(3), "error"),
        (GeneratorExit("by design"), "error"),
        (MemoryError("by design"), "oom"),
        (torch.OutOfMemoryError("by design"), "oom"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failing_primitive_is_the_candidates_failure(
    evaluator: Evaluator, failure: BaseException, status: str, batch: int
) -> None:
    @transform(Vector)
    def faulty(x: Tensor) -> Tensor:
        if len(x) == batch:
            raise failure
        return 2 * x

    evaluation = evaluate(evaluator, "weight(1, l2(faulty(pool)))")
    assert (evaluation.status, evaluation.fitness, evaluation.stage) == (status, None, None)
    assert evaluation.error is not None
    assert type(failure).__name__ in evaluation.error
    if status == "error":
        assert "Traceback" in evaluation.error
        assert "in faulty" in evaluation.error
    assert (evaluation.fingerprint is None) == (batch == 64)
    assert evaluate(evaluator, KD).status == "ok"


@pytest.mark.usefixtures("registry")
def test_memory_that_torch_cannot_get_is_oom(evaluator: Evaluator) -> None:
    @transform(Vector)
    def huge(x: Tensor) -> Tensor:
        return x + torch.empty(1 << 50)[0] if len(x) == BATCH else 2 * x

    evaluation = evaluate(evaluator, "weight(1, l2(huge(pool)))")
    assert (evaluation.status, evaluation.fitness) == ("oom", None)


@pytest.mark.usefixtures("registry")
def test_a_slow_primitive_is_timed_out(task: Task) -> None:
    calls = []

    @transform(Vector)
    def slow(x: Tensor) -> Tensor:
        if len(x) == BATCH:
            calls.append(1)
            time.sleep(0.2)
        return 2 * x

    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, timeout=0.3))
    evaluation = evaluate(evaluator, "weight(1, l2(slow(pool)))")
    assert (evaluation.status, evaluation.fitness) == ("timeout", None)
    assert evaluation.error is not None
    assert "0.3 s" in evaluation.error
    assert len(calls) <= 4, "two steps, of student and teacher; it would have been twelve"


@pytest.mark.usefixtures("registry")
def test_ctrl_c_is_nobodys_status(evaluator: Evaluator) -> None:
    @transform(Vector)
    def interrupted(x: Tensor) -> Tensor:
        if len(x) == BATCH:
            raise KeyboardInterrupt
        return 2 * x

    with pytest.raises(KeyboardInterrupt):
        evaluate(evaluator, "weight(1, l2(interrupted(pool)))")


def test_final_trainings_of_one_number_are_pairs(task: Task, evaluator: Evaluator) -> None:
    """Same student, same batches: a distiller of weight nearly nothing changes next to nothing."""
    alone = evaluator.full(Candidate(None), 0)
    tiny = evaluator.full(Candidate("weight(0.01, kl(logits, 4))", (1e-9,)), 0)
    assert alone.error is None
    assert alone.part("accuracy") == tiny.part("accuracy") == evaluator.full(Candidate(None), 0).part("accuracy")
    others = [evaluator.full(Candidate(None), number).part("accuracy") for number in (1, 2, 3)]
    assert any(other != alone.part("accuracy") for other in others)
    student = task.student(derive_seed(3, "final student", 0))
    assert not torch.equal(next(student.parameters()), next(task.student(1).parameters()))


def test_a_final_training_weighs_the_cross_entropy_as_told(evaluator: Evaluator) -> None:
    plain, less = (evaluator.full(Candidate(KD, ce_weight=weight), 1) for weight in (1.0, 0.0))
    assert plain.part("accuracy") != less.part("accuracy")


def test_a_failing_final_training_has_no_accuracy(evaluator: Evaluator) -> None:
    result = evaluator.full(Candidate("weight(1, l2(stage9))"), 0)
    assert result.part("accuracy") is None
    assert result.error is not None
    assert "stage9" in result.error


def candidates(evaluator: Evaluator, *texts: str) -> list[Candidate]:
    return [passed(evaluator, text).candidate(text) for text in texts]


def test_rungs_with_states_and_without_end_alike(task: Task) -> None:
    """A student whose state was lost begins anew and arrives at the same place, bit for bit."""
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, rungs=3, eta=2))
    assert evaluator.ladder.ends == (3, 6, 12)
    for candidate in candidates(evaluator, KD, MASKED, "weight(1, l2(drop(stage2)))"):
        going_on, steps = candidate, []
        for rung in range(3):
            (trained,) = evaluator.train([going_on], rung)
            (anew,) = evaluator.train([candidate], rung)
            assert trained.status == "ok", trained.error
            assert trained.parts == anew.parts
            assert trained.fitness == anew.fitness
            assert (trained.state is None) == (rung == 2)
            steps.append(trained.steps)
            going_on = replace(candidate, state=trained.state)
        assert steps == [3, 3, 6]


def test_the_student_alone_is_the_reference_of_every_rung(task: Task) -> None:
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, rungs=2, eta=3))
    for rung, parts in enumerate(evaluator.references):
        (trained,) = evaluator.train(candidates(evaluator, KD), rung)
        own = trained.parts
        assert trained.fitness == pytest.approx(FITNESS["tempered"](own, parts))
    assert evaluator.references[0] != evaluator.references[1]


def test_students_trained_together_are_those_trained_alone(task: Task) -> None:
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, rungs=2, eta=2))
    group = candidates(evaluator, KD, FEATURE, "weight(1, l2(mask(stage1)))")
    for rung in range(2):
        together = evaluator.train(group, rung)
        for candidate, trained in zip(group, together, strict=True):
            (alone,) = evaluator.train([candidate], rung)
            assert trained.status == "ok", trained.error
            assert trained.parts == pytest.approx(alone.parts, rel=2e-2, abs=2e-3)
            assert (trained.steps, trained.calibration) == (
                alone.steps,
                alone.calibration,
            )
        group = [replace(e, state=t.state) for e, t in zip(group, together, strict=True)]


@pytest.mark.usefixtures("registry")
def test_in_a_group_only_the_guilty_fails(task: Task) -> None:
    @transform(Vector)
    def faulty(x: Tensor) -> Tensor:
        if len(x) == BATCH:
            raise ZeroDivisionError("by design")
        return 2 * x

    evaluator = Evaluator(task, EvaluationSettings(run_seed=3))
    group = candidates(evaluator, KD, "weight(1, l2(faulty(pool)))", FEATURE)
    results = evaluator.train(group, 0)
    assert [result.status for result in results] == ["ok", "error", "ok"]
    assert "ZeroDivisionError: by design" in str(results[1].error)


def test_a_state_of_something_else_is_an_error_of_the_candidate(task: Task) -> None:
    evaluator = Evaluator(task, EvaluationSettings(run_seed=3, rungs=2, eta=2))
    (candidate,) = candidates(evaluator, KD)
    (trained,) = evaluator.train([replace(candidate, state=b"no safetensors")], 1)
    assert trained.status == "error"
    assert trained.fitness is None


@pytest.mark.parametrize(("failures", "succeeds"), [(1, True), (2, False)])
def test_a_full_training_without_memory_gets_a_second_attempt(task: Task, failures: int, succeeds: bool) -> None:
    left = [failures]
    with active_registry().copy().active():

        @distance(Vector)
        def greedy(student: Tensor, teacher: Tensor) -> Tensor:
            if len(student) > 8 and left[0] > 0:  # not when it is probed at its registration
                left[0] -= 1
                raise MemoryError("3 TB")
            return (student - teacher).square().mean(1)

        executor = InProcess(Evaluator(task, EvaluationSettings()))
        executor.submit(FullJob(Candidate("weight(1, greedy(logits))"), 0, "val"))
        _, result = executor.wait()
    assert isinstance(result, FullTraining)
    assert (result.part("accuracy") is not None) is succeeds
    assert left == [0]
    assert succeeds or "3 TB" in str(result.error)


def test_full_trainings_in_one_program_are_those_one_by_one(task: Task) -> None:
    group = (Candidate(None), Candidate(KD, ce_weight=0.1), Candidate("weight(3, l2(stage2))", (0.5,), warmup=0.4))
    together = Evaluator(task, EvaluationSettings(run_seed=3)).full_group(group, 2, "val").each
    for candidate, result in zip(group, together, strict=True):
        alone = Evaluator(task, EvaluationSettings(run_seed=3)).full(candidate, 2, "val")
        assert (alone.parts or {}).keys() == (result.parts or {}).keys()
        for name, value in (alone.parts or {}).items():
            assert (result.parts or {})[name] == pytest.approx(value, rel=1e-3, abs=0.02), name


def test_who_fails_in_a_group_fails_alone_and_the_others_do_not(task: Task) -> None:
    with active_registry().copy().active():

        @distance(Vector)
        def faulty(student: Tensor, teacher: Tensor) -> Tensor:
            if len(student) > 8:  # not when it is probed at its registration
                raise RuntimeError("not this one")
            return (student - teacher).square().mean(1)

        evaluator = Evaluator(task, EvaluationSettings())
        good, bad = evaluator.full_group((Candidate(KD), Candidate("weight(1, faulty(logits))")), 0, "val").each
        also_good, missing = evaluator.full_group((Candidate(KD), Candidate("weight(1, l2(stage9))")), 0, "val").each
    assert good.part("accuracy") is not None
    assert "not this one" in str(bad.error)
    assert also_good.parts == evaluator.full(Candidate(KD), 0, "val").parts
    assert "stage9" in str(missing.error)


def test_five_guesses_are_counted_on_full_trainings_alone(task: Task) -> None:
    full = Evaluator(task, EvaluationSettings()).full(Candidate(None), 0, "val")
    assert full.parts is not None
    assert full.parts["accuracy"] <= full.parts["top5"] <= 1
