"""The state that a method adds to a training: the parameters of its phases, and its critic's optimiser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from kdzero_gp.errors import ConfigError
from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.world import Now
from kdzero_gp.taps.anatomy import HEAD
from kdzero_gp.taps.network import FEATURES, Network

KEPT = {"momentum_buffer": "momentum", "exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq", "step": "updates"}
"""What SGD and Adam keep of a parameter, by torch's name, and its name in a state."""

STAGE = re.compile(r"stage\d+")


def parameters_of_phase(
    phase: Phase, student: nn.Module, method: MethodLoss | None, network: Callable[[], Network]
) -> list[nn.Parameter]:
    """Lists the parameters that a phase trains, in the order of `phase.trains`.

    Args:
        network: the student's, for its parts.

    Raises:
        ConfigError: the phase trains a module that the method does not have.
        TapError: the phase trains a part that the student does not have.
    """
    chosen: list[nn.Parameter] = []
    for name in phase.trains:
        if name == "student":
            chosen += student.parameters()
        elif name == "method":
            chosen += method.learned() if method is not None else ()
        elif name in (HEAD, FEATURES) or STAGE.fullmatch(name):
            chosen += network().parameters(name)
        else:
            module = getattr(getattr(method, "base", method), name, None)  # of a method that a tree is added to
            if not isinstance(module, nn.Module):
                raise ConfigError(f"the phase {phase.name} trains `{name}`, which is no module of the method")
            chosen += module.parameters()
    return list(dict.fromkeys(chosen))


def hold_still(everything: Iterable[nn.Parameter], trained: Sequence[nn.Parameter]) -> None:
    """Freezes all parameters but the trained ones."""
    moving = set(trained)
    for parameter in everything:
        parameter.requires_grad_(parameter in moving)


class CriticStep:
    """The step of a method's critic after each of the student's, with an optimiser of its own."""

    def __init__(self, method: MethodLoss) -> None:
        if method.critic is None:
            raise AssertionError("a critic step belongs to a critic")
        self._method = method
        self.parameters = list(method.critic.parameters())
        self.optimiser = method.critic_optimiser(self.parameters)

    def gradients(self, student: Knowledge, teacher: Knowledge, targets: Tensor, now: Now) -> None:
        """Sets the critic's gradients for taps without graph."""
        self.optimiser.zero_grad(set_to_none=True)
        self._method.critic_loss(student, teacher, targets, now).backward()

    def state(self) -> dict[str, Tensor]:
        """Copies the optimiser's state; the critic's weights are the method's."""
        return optimiser_state(self.optimiser, self.parameters, "critic.")

    def restore(self, state: dict[str, Tensor]) -> None:
        """Restores a state that `state` gave."""
        kept = {
            place: {
                name: value
                for name, short in KEPT.items()
                if (value := state.get(f"critic.{short}.{place}")) is not None
            }
            for place in range(len(self.parameters))
        }
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": {p: v for p, v in kept.items() if v}, "param_groups": groups})


def optimiser_state(
    optimiser: torch.optim.Optimizer, parameters: Sequence[nn.Parameter], prefix: str = ""
) -> dict[str, Tensor]:
    """Copies an optimiser's state of each parameter, by `<name>.<place among the parameters>`."""
    return {
        f"{prefix}{short}.{place}": optimiser.state[parameter][name]
        for place, parameter in enumerate(parameters)
        for name, short in KEPT.items()
        if optimiser.state[parameter].get(name) is not None
    }
