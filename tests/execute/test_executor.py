"""Executors by name: a new one is a decorated function beside its class."""

from collections.abc import Iterator
from typing import Any, cast

import pytest

from kdzero_gp.compare.setup import comparison_config
from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.executor import EXECUTORS, Plan, executor
from kdzero_gp.execute.executors.inprocess import InProcess
from kdzero_gp.execute.executors.processes import Processes
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.execute.start import start_executor
from kdzero_gp.run.config import RunConfig, make_config

PLANS: list[Plan] = []


@pytest.fixture(autouse=True)
def _own() -> Iterator[None]:
    PLANS.clear()
    with EXECUTORS.restored():

        @executor("noting")
        def start(plan: Plan) -> Executor:
            PLANS.append(plan)
            return InProcess(plan.evaluator)

        yield


def started(config: RunConfig, workers: int) -> Any:
    """The executor, with a number for an evaluator, which is all the same to it until it gets a job."""
    return start_executor(config, cast(Evaluator, 7), workers, Deadlines(), lambda config: cast(Evaluator, config))


def test_it_is_chosen_by_name_and_gets_what_was_asked_for() -> None:
    config = make_config(executor="noting", threads=3, workers=2)
    assert isinstance(started(config, 2), InProcess)
    (plan,) = PLANS
    assert (plan.workers, plan.threads, list(plan.devices), plan.address, plan.on_gpu) == (2, 3, ["cpu"], None, False)
    assert plan.make() == config


def test_unasked_one_worker_is_this_process() -> None:
    assert isinstance(started(make_config(), 1), InProcess)
    assert not PLANS


def test_an_unknown_one_is_told_the_known() -> None:
    with pytest.raises(
        ConfigError, match="--executor is 'cluster', but should be auto, inprocess, processes, ray or noting"
    ):
        make_config(executor="cluster")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "inprocess", "workers": 2}, "--executor inprocess is this one process, but --workers is 2"),
        ({"ray_address": "auto"}, "--ray-address auto names a Ray cluster, but --executor is auto; add --executor ray"),
        ({"ray_address": "auto", "executor": "noting"}, "but --executor is noting; .* or leave the address out"),
    ],
)
def test_an_option_that_it_does_not_take_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_config(**options)


def test_it_takes_the_options_that_it_declares() -> None:
    with EXECUTORS.restored():
        executor("shouting", own_options={"ray_address": "is where it shouts"})(lambda plan: InProcess(plan.evaluator))
        assert make_config(executor="shouting", ray_address="hill").ray_address == "hill"
        assert comparison_config({"executor": "shouting"}, None)[0].executor == "shouting"


def test_several_workers_are_processes_unasked() -> None:
    assert isinstance(started(make_config(), 2), Processes), "which start when there is work"
