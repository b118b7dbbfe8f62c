"""Executors by name: one declared in this file alone is chosen as the others are, by every command."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kdzero_gp.compare.setup import comparison_config
from kdzero_gp.errors import ConfigError
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.executors import EXECUTORS, Plan, executor
from kdzero_gp.execute.inprocess import InProcess
from kdzero_gp.execute.processes import Processes
from kdzero_gp.execute.protocol import AnyJob, Executor, Result
from kdzero_gp.execute.start import start_executor
from kdzero_gp.run.config import RunConfig, make_config


class Echo:
    """Gives every job back as its result."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def submit(self, job: AnyJob) -> int:
        raise NotImplementedError

    def wait(self) -> tuple[int, Result]:
        raise NotImplementedError

    def run(self, jobs: Sequence[AnyJob]) -> Iterator[tuple[int, Any]]:
        return enumerate(jobs)  # type: ignore[return-value]

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def echo() -> Iterator[str]:
    with EXECUTORS.restored():

        @executor("echo", own_options={"ray_address": "is where it shouts"})
        def start_echo(plan: Plan) -> Executor:
            return Echo(plan.workers)

        yield "echo"


def start(config: RunConfig, workers: int) -> Executor:
    evaluator: Any = None
    return start_executor(config, evaluator, workers, Deadlines(), make=lambda config: evaluator)


def test_the_names_stand_in_the_help() -> None:
    assert EXECUTORS.listed() == "inprocess, processes or ray"
    description = RunConfig.model_fields["executor"].description
    assert description == f"{{default}} (default), {EXECUTORS.listed()}."


def test_an_executor_of_this_file_is_started_by_its_name(echo: str) -> None:
    started = start(make_config(executor=echo), 3)
    assert isinstance(started, Echo)
    assert started.workers == 3
    options: dict[str, Any] = {"executor": echo, "data": "digits"}
    assert comparison_config(options, None)[0].executor == "echo"
    assert make_config(executor=echo, ray_address="hill").ray_address == "hill", "an option that it takes"


def test_auto_is_this_process_for_one_worker_and_processes_for_several() -> None:
    assert isinstance(start(make_config(), 1), InProcess)
    assert isinstance(start(make_config(), 2), Processes), "which start when there is work"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "echo"}, "--executor is 'echo', but should be auto, inprocess, processes or ray"),
        ({"executor": "inprocess", "workers": 2}, "--executor inprocess is this one process, but --workers is 2"),
        ({"ray_address": "auto"}, "--ray-address auto names a Ray cluster, but --executor is auto; add --executor ray"),
    ],
)
def test_what_contradicts_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(**options)
