"""What goes into a run comes out of it, after closing and opening again."""

import math
import struct
import threading

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdzero_gp.errors import StoreError
from kdzero_gp.store import Evaluation, RunStore

FLOATS = st.floats()
FINITE = st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.text(st.characters(exclude_categories=["Cs"]))
OK = st.builds(
    Evaluation,
    status=st.just("ok"),
    stage=st.none(),
    fitness=FINITE,
    parts=st.dictionaries(NAMES, FLOATS),
    calibration=st.lists(FLOATS).map(tuple),
    fingerprint=st.none() | NAMES,
    steps=st.integers(0, 2**63 - 1),
    seed=st.integers(),
    seconds=FINITE.map(abs),
    host=NAMES,
    error=st.none() | NAMES,
)


def bits(number: float) -> bytes:
    return b"nan" if math.isnan(number) else struct.pack(">d", number)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(evaluations=st.lists(OK, min_size=1, max_size=4))
def test_every_field_comes_back_bit_for_bit(tmp_path_factory, proposal, evaluations):
    folder = tmp_path_factory.mktemp("run")
    with RunStore.create(folder, {}) as store:
        for number, evaluation in enumerate(evaluations):
            assert store.record(proposal(number=number, canonical=f"t{number}"), evaluation)
    with RunStore.resume(folder) as store:
        for number, given_in in enumerate(evaluations):
            out = store.find("evolve", f"t{number}", 0)
            assert bits(out.fitness) == bits(given_in.fitness)
            assert bits(out.seconds) == bits(given_in.seconds)
            assert list(map(bits, out.calibration)) == list(map(bits, given_in.calibration))
            assert [(name, bits(part)) for name, part in out.parts.items()] == [
                (name, bits(part)) for name, part in given_in.parts.items()
            ]
            for field in ("status", "stage", "fingerprint", "steps", "seed", "host", "error"):
                assert getattr(out, field) == getattr(given_in, field)


def test_every_field_of_a_proposal_comes_back(tmp_path, proposal, evaluation):
    asked = proposal(
        number=7,
        generation=3,
        arm="random",
        operator="crossover",
        parents=(2, 5),
        tree="a",
        canonical="b",
        rung=1,
    )
    with RunStore.create(tmp_path, {}) as store:
        store.record(asked, evaluation())
        assert list(store.evaluations()) == [(asked, evaluation())]
        assert store.get("random", 7, 1) == (asked, evaluation())
        assert store.get("evolve", 7) is None


def test_evaluations_are_ordered_by_arm_and_number(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {}) as store:
        for arm, number in [("random", 1), ("evolve", 10), ("evolve", 9), ("random", 0), ("evolve", 0)]:
            store.record(proposal(arm=arm, number=number), evaluation())
        every = [(asked.arm, asked.number) for asked, _ in store.evaluations()]
        assert every == [("evolve", 0), ("evolve", 9), ("evolve", 10), ("random", 0), ("random", 1)]
        assert [asked.number for asked, _ in store.evaluations("random")] == [0, 1]
        assert list(store.evaluations("nobody")) == []


def test_iterating_shows_the_moment_of_the_call(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {}) as store:
        store.record(proposal(), evaluation())
        every = store.evaluations()
        store.record(proposal(number=1), evaluation())
        assert len(list(every)) == 1


def test_find_keeps_arms_rungs_and_forms_apart(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {}) as store:
        store.record(proposal(number=4, canonical="x", rung=1), evaluation(fitness=1.0))
        store.record(proposal(number=9, canonical="x"), evaluation(fitness=3.0))
        store.record(proposal(number=5, canonical="x"), evaluation(fitness=2.0))
        assert store.find("evolve", "x", 1).fitness == 1.0
        assert store.find("evolve", "x", 0).fitness == 2.0  # the lower number, whichever came in first
        assert store.find("random", "x", 0) is None
        assert store.find("evolve", "y", 0) is None
        assert store.find("evolve", "x", 2) is None


def test_the_same_proposal_again_is_ignored(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {}) as store:
        assert store.record(proposal(), evaluation(seconds=1.0)) is True
        assert store.record(proposal(), evaluation(seconds=2.0)) is False
        assert [found.seconds for _, found in store.evaluations()] == [1.0]


def test_another_proposal_under_the_same_number_is_refused(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {}) as store:
        store.record(proposal(tree="first"), evaluation())
        with pytest.raises(StoreError, match=r"(?s)under number 0, rung 0, of arm 'evolve'.*first.*second.*--run-dir"):
            store.record(proposal(tree="second"), evaluation())
        with pytest.raises(StoreError, match="does not repeat"):
            store.record(proposal(tree="first", parents=(3,)), evaluation())
        assert [asked.tree for asked, _ in store.evaluations()] == ["first"]


def test_generations_and_results_are_replaced(tmp_path):
    with RunStore.create(tmp_path, {}) as store:
        store.put_generation("evolve", 10, {"best": 0.5})
        store.put_generation("evolve", 2, {"best": 0.7, "funnel": {"duplicate": 3}})
        store.put_generation("evolve", 10, {"best": math.inf, "weights": (1, 2)})
        store.put_generation("random", 2, {})
        store.put_result("table", [1])
        store.put_result("table", [{"mean": 0.1}])
        assert store.result("other") is None
    with RunStore.read(tmp_path) as store:
        assert list(store.generations("evolve").items()) == [
            (2, {"best": 0.7, "funnel": {"duplicate": 3}}),
            (10, {"best": math.inf, "weights": [1, 2]}),
        ]
        assert store.result("table") == [{"mean": 0.1}]


def test_config_is_kept_and_a_copy_is_written_for_people(tmp_path):
    config = {"seed": 0, "taps": ["stage1", "lögits"], "race": {"eta": 3.0, "budget": None}}
    with RunStore.create(tmp_path / "new" / "run", config) as store:
        assert store.folder == tmp_path / "new" / "run"
        store.config["seed"] = 1
        assert store.config == config
    assert yaml.safe_load((store.folder / "config.yaml").read_text("utf-8")) == config
    with RunStore.read(store.folder) as again:
        assert again.config == config


def test_a_reader_refuses_to_write(tmp_path, proposal, evaluation):
    RunStore.create(tmp_path, {}).close()
    with RunStore.read(tmp_path) as store, pytest.raises(StoreError, match="opened for reading"):
        store.record(proposal(), evaluation())


def test_a_folder_name_with_signs_of_a_uri_is_taken_literally(tmp_path, proposal, evaluation):
    folder = tmp_path / "50%23?mode=memory&x#y ü"
    with RunStore.create(folder, {}) as store:
        store.record(proposal(), evaluation())
    with RunStore.read(folder) as store:
        assert len(list(store.evaluations())) == 1
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


def test_use_by_another_thread_is_a_mistake_in_the_program(tmp_path):
    with RunStore.create(tmp_path, {}) as store:
        seen = []

        def ask() -> None:
            try:
                store.result("x")
            except Exception as error:
                seen.append(type(error).__name__)

        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert seen == ["ProgrammingError"]


def test_states_are_kept_by_rung_until_they_are_dropped(tmp_path):
    with RunStore.create(tmp_path, {}) as store:
        for number in (0, 1, 2):
            store.put_state("evolve", number, 0, b"old")
            store.put_state("evolve", number, 0, bytes([number, 0, 255]))
        store.put_state("evolve", 2, 1, b"next")
        store.put_state("random", 0, 0, b"other")
        assert [store.state("evolve", number, 0) for number in (0, 1, 2, 3)] == [
            b"\0\0\xff",
            b"\1\0\xff",
            b"\2\0\xff",
            None,
        ]
        store.drop_states("evolve", 1)
        assert [store.state("evolve", number, 0) for number in (0, 1, 2)] == [None, None, b"\2\0\xff"]
        assert store.state("evolve", 2, 1) == b"next"
        assert store.state("random", 0, 0) == b"other"


def test_a_trace_is_kept_in_order_and_its_first_word_counts(tmp_path):
    with RunStore.create(tmp_path, {}) as store:
        for position, event in ((1, "second"), (0, "first"), (1, "too late"), (2, "third")):
            store.append_trace("evolve", position, event)
        assert store.trace("evolve") == ["first", "second", "third"]
        assert store.trace("random") == []


def test_rungs_of_one_number_are_rows_of_their_own(tmp_path, proposal, evaluation):
    with RunStore.create(tmp_path, {}) as store:
        for rung in (1, 0):
            assert store.record(proposal(rung=rung), evaluation(steps=rung))
        assert [(p.rung, e.steps) for p, e in store.evaluations()] == [(0, 0), (1, 1)]
        assert store.get("evolve", 0, 1)[1].steps == 1
        assert store.get("evolve", 0, 2) is None
