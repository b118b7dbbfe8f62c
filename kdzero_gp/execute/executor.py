"""The executors by name, each declared in the file of its class, and what one may need to begin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor
from kdzero_gp.folder_choices import FolderChoices

AUTO = "auto"
"""This process for one worker, worker processes for several."""


@dataclass(frozen=True)
class Plan:
    """What an executor is asked for; each takes what concerns it.

    Attributes:
        evaluator: of this process.
        make: makes that of a worker.
        workers: how many there are.
        devices: what workers are dealt in turn, such as `cpu`, or `cuda:0` and `cuda:1`.
        threads: of each worker.
        deadlines: of the jobs.
        address: of a cluster that is there already.
    """

    evaluator: Evaluator
    make: Callable[[], Evaluator]
    workers: int
    devices: Sequence[str]
    threads: int
    deadlines: Deadlines
    address: str | None

    @property
    def on_gpu(self) -> bool:
        """Whether workers compute on GPUs."""
        return any(device.startswith("cuda") for device in self.devices)


Starter = Callable[[Plan], Executor]


@dataclass(frozen=True)
class ExecutorChoice:
    """An executor that a user can choose.

    Attributes:
        start: starts it, or raises `ConfigError`.
        one_process: whether it has no workers but this process.
        own_options: by name, options that other executors do not take, and what they do.
    """

    start: Starter
    one_process: bool = False
    own_options: Mapping[str, str] = field(default_factory=dict)


EXECUTORS: FolderChoices[ExecutorChoice] = FolderChoices("--executor", "kdzero_gp.execute.executors")
"""All executors by the name that `--executor` takes."""


def executor(
    name: str, *, one_process: bool = False, own_options: Mapping[str, str] | None = None
) -> Callable[[Starter], Starter]:
    """Declares an executor by the function that starts it.

    Args:
        name: what `--executor` calls it.
        one_process, own_options: see `ExecutorChoice`.
    """
    return EXECUTORS.declare(name, name, lambda start: ExecutorChoice(start, one_process, own_options or {}))


def check_executor(name: str, workers: int | None, options: Mapping[str, object]) -> None:
    """Checks that there is an executor of this name, and that it takes the options that were given.

    Args:
        options: all of a configuration by name; None is an option that was not given.

    Raises:
        ConfigError: names the options that contradict one another.
    """
    if name != AUTO and name not in EXECUTORS:
        raise ConfigError(f"--executor is '{name}', but should be {AUTO}, {EXECUTORS.listed()}")
    own = () if name == AUTO else EXECUTORS[name].own_options
    for owner, choice in EXECUTORS.items():
        for option, meaning in choice.own_options.items():
            value = options.get(option)
            if value is not None and option not in own:
                raise ConfigError(
                    f"--{option.replace('_', '-')} {value} {meaning}, but --executor is {name}; add --executor {owner} "
                    f"or leave the {option.rpartition('_')[2]} out"
                )
    if name != AUTO and EXECUTORS[name].one_process and (workers or 1) > 1:
        raise ConfigError(
            f"--executor {name} is this one process, but --workers is {workers}; leave one of the two out"
        )
