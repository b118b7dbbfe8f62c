"""A run goes on under the configuration it was started with."""

import pytest

from kdzero_gp.errors import StoreError
from kdzero_gp.store import RunStore

CONFIG = {"seed": 0, "workers": 2, "race": {"eta": 3, "rungs": [1, 2]}, "note": None}


@pytest.fixture
def folder(tmp_path):
    RunStore.create(tmp_path, CONFIG).close()
    return tmp_path


def test_the_same_configuration_resumes(folder):
    RunStore.resume(folder).close()
    with RunStore.resume(folder, {**CONFIG, "race": {"rungs": (1, 2), "eta": 3}}) as store:
        assert store.config == CONFIG


def test_each_differing_key_is_named_with_both_values(folder):
    other = {"seed": 1, "workers": 2, "race": {"eta": 3, "rungs": [1]}, "pop": 20}
    with pytest.raises(StoreError) as caught:
        RunStore.resume(folder, other)
    lines = str(caught.value).splitlines()
    assert [line.strip() for line in lines[1:-1]] == [
        "note: the run has null, but absent was given",
        "pop: the run has absent, but 20 was given",
        "race.rungs: the run has [1, 2], but [1] was given",
        "seed: the run has 0, but 1 was given",
    ]
    assert "--run-dir" in lines[-1]


def test_true_is_not_one(folder):
    with pytest.raises(StoreError, match="seed: the run has 0, but false was given"):
        RunStore.resume(folder, {**CONFIG, "seed": False})


def test_ignored_keys_may_differ_and_the_stored_value_stays(folder):
    other = {**CONFIG, "workers": 9, "race": {"eta": 4, "rungs": [1, 2]}}
    with RunStore.resume(folder, other, ignore={"workers", "race.eta"}) as store:
        assert store.config == CONFIG
    RunStore.resume(folder, other, ignore=["workers", "race"]).close()
    with pytest.raises(StoreError, match=r"race\.eta"):
        RunStore.resume(folder, other, ignore=["workers", "rac"])


def test_a_refused_resume_frees_the_lock(folder):
    with pytest.raises(StoreError):
        RunStore.resume(folder, {})
    RunStore.resume(folder).close()
