"""The rules of `Proposal` and `Evaluation`."""

import math

import numpy as np
import pytest


def test_fitness_is_set_exactly_when_ok(evaluation):
    with pytest.raises(ValueError, match=r"fitness is None with status 'ok'"):
        evaluation(fitness=None)
    for status in ("nan", "error", "timeout", "oom", "worker_lost"):
        with pytest.raises(ValueError, match=f"fitness is 1.0 with status '{status}'"):
            evaluation(status=status, fitness=1.0)
        assert evaluation(status=status, fitness=None).fitness is None


def test_stage_is_set_exactly_when_rejected(evaluation):
    with pytest.raises(ValueError, match=r"stage is None with status 'rejected'"):
        evaluation(status="rejected", fitness=None)
    with pytest.raises(ValueError, match=r"stage is 'gradient' with status 'ok'"):
        evaluation(stage="gradient")
    with pytest.raises(ValueError, match="stage is '', but must be a non-empty string"):
        evaluation(status="rejected", stage="", fitness=None)
    assert evaluation(status="rejected", stage="gradient", fitness=None).stage == "gradient"


@pytest.mark.parametrize("fitness", [math.nan, math.inf, -math.inf, "0.5", True])
def test_fitness_must_be_a_finite_number(evaluation, fitness):
    with pytest.raises(ValueError, match=r"fitness is .*, but must be"):
        evaluation(fitness=fitness)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("status", "fine"),
        ("steps", -1),
        ("steps", 2**63),
        ("steps", 1.0),
        ("seed", 1.5),
        ("seconds", -0.1),
        ("seconds", math.nan),
        ("parts", {"ce": "low"}),
        ("parts", {1: 1.0}),
        ("calibration", (None,)),
        ("host", 3),
        ("error", 3),
    ],
)
def test_other_fields_of_an_evaluation_are_checked(evaluation, field, value):
    with pytest.raises(ValueError, match=f"{field}.* is .*, but must be"):
        evaluation(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("number", -1), ("generation", 0.5), ("rung", True), ("parents", (-1,)), ("tree", ""), ("arm", None)],
)
def test_fields_of_a_proposal_are_checked(proposal, field, value):
    with pytest.raises(ValueError, match=f"{field} is .*, but must be"):
        proposal(**{field: value})


def test_numpy_numbers_become_plain_ones(evaluation, proposal):
    given = evaluation(fitness=np.float32(0.1), parts={"ce": np.float64(2)}, steps=np.int64(3), seed=np.uint64(4))
    kinds = [type(value) for value in (given.fitness, given.parts["ce"], given.steps, given.seed)]
    assert kinds == [float, float, int, int]
    assert given.fitness == np.float32(0.1)
    assert proposal(number=np.int32(5), parents=[np.int64(1)]).parents == (1,)


def test_later_changes_of_the_given_dict_do_not_reach_in(evaluation):
    parts = {"ce": 1.0}
    given = evaluation(parts=parts)
    parts["ce"] = 2.0
    assert given.parts == {"ce": 1.0}


def test_text_that_is_no_unicode_is_escaped(evaluation):
    given = evaluation(status="error", fitness=None, error="no such file: caf\udce9")
    assert given.error == "no such file: caf\\udce9"
