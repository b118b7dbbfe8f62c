"""The executors by name: each declares itself beside its class, and says what it takes and how it is started.

To add one, write a file with a class that has the methods of `Executor` and a function below `@executor(...)`, and
import that file in `start.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import torch

from kdzero_gp.choices import Choices
from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.evaluator import Evaluator
from kdzero_gp.execute.deadlines import Deadlines
from kdzero_gp.execute.protocol import Executor

DEFAULT_EXECUTOR = "auto"


class MachineOptions(Protocol):
    """The options that say how trainings are carried out: what an executor reads of a configuration."""

    @property
    def executor(self) -> str: ...
    @property
    def workers(self) -> int | None: ...
    @property
    def threads(self) -> int: ...
    @property
    def device(self) -> str: ...
    @property
    def ray_address(self) -> str | None: ...
    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self: ...


@dataclass(frozen=True)
class Request:
    """What an executor is started with.

    Attributes:
        options: of the run; an executor may read options of its own from them.
        evaluator: of this process.
        workers: how many are wanted.
        make_evaluator: makes the evaluator of a worker; it can be pickled. A worker sees one GPU and knows it as the
            only one.
    """

    options: MachineOptions
    evaluator: Evaluator
    workers: int
    deadlines: Deadlines
    make_evaluator: Callable[[], Evaluator]

    @property
    def on_gpu(self) -> bool:
        """Whether workers train on GPUs."""
        return torch.device(self.options.device).type == "cuda"

    @property
    def devices(self) -> list[str]:
        """The devices that workers are spread over: the GPU that was named, or all GPUs, or the CPU."""
        device = torch.device(self.options.device)
        if device.type == "cpu" or device.index is not None:
            return [self.options.device]
        return [f"cuda:{index}" for index in range(torch.cuda.device_count())]


Start = Callable[[Request], Executor]


@dataclass(frozen=True)
class ExecutorChoice:
    """An executor that a user can choose.

    Attributes:
        start: starts it; raises `ConfigError` where it cannot.
        one_process: whether it has no workers but this process.
        own_options: by name, options that no other executor takes, and what they are.
    """

    start: Start
    one_process: bool = False
    own_options: Mapping[str, str] = field(default_factory=dict)


EXECUTORS: Choices[ExecutorChoice] = Choices("--executor")
"""All executors by name."""


def executor(
    name: str, about: str, *, one_process: bool = False, own_options: Mapping[str, str] | None = None
) -> Callable[[Start], Start]:
    """Declares an executor by the function that starts it.

    Args:
        name: what `--executor` calls it.
        about: a few words for the help of that option.
        one_process, own_options: see `ExecutorChoice`.
    """
    return EXECUTORS.declare(name, about, lambda start: ExecutorChoice(start, one_process, own_options or {}))


def check_machine(options: MachineOptions) -> None:
    """Checks that the executor exists and that the other options are ones it takes.

    Raises:
        ConfigError: names the options that contradict each other.
    """
    chosen = EXECUTORS.require(options.executor)
    for name, choice in EXECUTORS.items():
        for option, meaning in choice.own_options.items():
            value = getattr(options, option, None)
            if value is not None and option not in chosen.own_options:
                raise ConfigError(
                    f"--{option.replace('_', '-')} {value} {meaning}, but --executor is {options.executor}; add "
                    f"--executor {name} or leave the {option.rpartition('_')[2]} out"
                )
    if chosen.one_process and (options.workers or 1) > 1:
        raise ConfigError(
            f"--executor {options.executor} is this one process, but --workers is {options.workers}; leave one of the "
            "two out"
        )
