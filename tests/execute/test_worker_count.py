"""How many workers a run gets unasked, and when several are refused."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from torch import Tensor

from kdzero_gp import Map, transform
from kdzero_gp.errors import ConfigError
from kdzero_gp.execute.worker_count import MOST, worker_count
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.run.config import make_config

OPS = "from kdzero_gp import Map, transform\n@transform(Map)\ndef from_file(x):\n    return 2 * x\n"


@pytest.mark.parametrize(("cores", "expected"), [(1, 1), (2, 2), (MOST, MOST), (64, MOST)])
def test_unasked_it_is_one_for_each_core(monkeypatch: pytest.MonkeyPatch, cores: int, expected: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert worker_count(make_config(), own_task=False) == expected


def test_on_a_gpu_it_is_this_process() -> None:
    config = make_config().model_copy(update={"device": "cuda"})
    assert worker_count(config, own_task=False) == 1


def test_asked_for_it_is_what_was_asked() -> None:
    assert worker_count(make_config(workers=5), own_task=False) == 5
    assert worker_count(make_config(workers=1), own_task=True) == 1


def test_a_task_of_ones_own_stays_here() -> None:
    assert worker_count(make_config(), own_task=True) == 1
    with pytest.raises(ConfigError, match=r"workers is 3, but a task of your own .*use workers=1"):
        worker_count(make_config(workers=3), own_task=True)


def test_primitives_declared_here_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    with active_registry().copy().active():

        @transform(Map)
        def declared_here(x: Tensor) -> Tensor:
            return 2 * x

        assert worker_count(make_config(), own_task=False) == 1
        with pytest.raises(ConfigError, match=r"do not know declared_here: .*into a file and name it by --primitives"):
            worker_count(make_config(workers=3), own_task=False)
    assert worker_count(make_config(), own_task=False) == 2


def test_primitives_from_named_files_travel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    path = tmp_path / "ops.py"
    path.write_text(OPS)
    with active_registry().copy().active() as registry:
        registry.load_file(path)
        assert worker_count(make_config(primitives=[str(path)]), own_task=False) == 2
        assert worker_count(make_config(), own_task=False) == 1, "loaded, but not by this run's options"


def test_primitives_from_a_file_inside_the_project_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their source is noted relative to the project, and the option's path is not."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    path = Path(__file__).resolve().parents[2] / "examples" / "ops.py"
    with active_registry().copy().active() as registry:
        registry.add(replace(registry["relu"], name="nearby", source="examples/ops.py:7"))
        assert worker_count(make_config(primitives=[str(path)]), own_task=False) == 2
        assert worker_count(make_config(), own_task=False) == 1
