"""The event file: what it holds, and that a run does not depend on it."""

import time
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kdzero_gp.run.config import make_config
from kdzero_gp.run.events import TensorBoardEvents
from kdzero_gp.run.observer import Silent
from kdzero_gp.store import RunStore


def test_the_curves_are_those_of_the_store(whole_run: Any) -> None:
    folder = whole_run[0]
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    with RunStore.read(folder) as store:
        for arm in ("evolve", "random"):
            for name in ("best", "median"):
                expected = [stats[name] for stats in store.generations(arm).values()]
                assert [e.value for e in events.Scalars(f"{arm}/{name}")] == pytest.approx(expected)
            ok = {p.number: e for p, e in store.evaluations(arm) if e.status == "ok"}
            for part in ("ce", "cka_gap", "accuracy"):
                curve = {e.step: e.value for e in events.Scalars(f"{arm}/candidate/{part}")}
                assert curve == pytest.approx({number: e.parts[part] for number, e in ok.items()})


def test_a_writer_that_fails_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    events = TensorBoardEvents(Silent())
    events.started(make_config(), tmp_path, {})
    stats = {"best": 1.0, "median": 2.0, "diversity": None, "funnel": {"trained": 3}}
    events.generation_done("evolve", 0, stats)
    events.close()


def test_closing_does_not_wait_for_a_writer_that_missed_its_call(tmp_path: Path) -> None:
    """Ctrl-C inside the writer's queue can lose the one wake-up its thread waits for."""
    events = TensorBoardEvents(Silent())
    events.started(make_config(), tmp_path, {})
    writer = events.curves._writer
    assert writer is not None
    time.sleep(0.2)
    queue = writer._get_file_writer().event_writer._async_writer._byte_queue
    queue.not_empty._waiters.clear()
    started = time.perf_counter()
    events.close()
    assert time.perf_counter() - started < 60
