"""Checks on a probe batch that a stack computes what its students compute."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from kdzero_gp.loops.fused.stack import FuseError, Stack
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import Taps

PROBE = 8
"""Images of the probe batch."""
STUDENTS = 3
"""Students of the probe stack, of different weights: only those show where a stack mixes them up."""
TOLERANCE = 1e-6
"""Greatest difference, relative to the largest value, in float64; a mixed-up channel differs by about 1."""

MakeStack = Callable[[nn.Module, int, Taps, Sequence[str]], Stack]


def check_stack(make: MakeStack, students: Sequence[nn.Module], taps: Taps, images: Tensor) -> None:
    """Compares a stack with its students one by one: taps, running statistics, gradients.

    Args:
        students: two or more of one architecture with different weights.
        images: (B, C, H, W), a few.

    Raises:
        FuseError: the stack cannot be built or computes something else, or the student draws random numbers.
    """
    names = tuple(taps)
    with torch.random.fork_rng(devices=[images.device] if images.device.type == "cuda" else []):
        twins = [copy.deepcopy(student).train() for student in students]
        _refuse_randomness(twins[0], images)
        try:
            _compare(make, [twin.double() for twin in twins], taps, names, images.double())
        except FuseError:
            raise
        except Exception as error:  # whatever a user's model raises when it is run another way
            raise FuseError(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}") from error


def _refuse_randomness(student: nn.Module, images: Tensor) -> None:
    before = _random_states(images.device)
    with torch.no_grad():
        copy.deepcopy(student)(images)
    if not all(torch.equal(a, b) for a, b in zip(before, _random_states(images.device), strict=True)):
        raise FuseError("the student draws random numbers in training (dropout, perhaps), which serial training orders")


def _random_states(device: torch.device) -> list[Tensor]:
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _compare(make: MakeStack, students: list[nn.Module], taps: Taps, names: tuple[str, ...], images: Tensor) -> None:
    stack = make(students[0], len(students), taps, names)
    for number, student in enumerate(students):
        stack.write(number, student.state_dict())
    together = stack(images)
    parts = {name: stack.apart(together[name]) for name in names}
    ours = [{name: parts[name][number] for name in names} for number in range(len(students))]
    for name in names:
        every = stack.together(together[name])
        _require(f"tap {name} of all students", every, torch.stack([student[name] for student in ours]))
    _functional(ours).backward()
    gradients = [None if leaf.grad is None else stack.split(leaf.grad) for leaf in stack.leaves]
    theirs = []
    for student in students:
        with TapReader(student, taps, names) as reader:
            theirs.append(dict(reader(images)))
    _functional(theirs).backward()
    for number, student in enumerate(students):
        for name in names:
            _require(f"tap {name}", ours[number][name], theirs[number][name])
        for name, value in student.state_dict().items():
            _require(name, stack.read(number)[name], value)
        for (name, parameter), leaf in zip(student.named_parameters(), gradients, strict=True):
            if (parameter.grad is None) != (leaf is None):
                raise FuseError(f"`{name}` gets a gradient in one way of training only")
            if parameter.grad is not None and leaf is not None:
                _require(f"gradient of {name}", leaf[number].reshape(parameter.shape), parameter.grad)


def _functional(students: Sequence[Mapping[str, Tensor]]) -> Tensor:
    """Computes a scalar in which every number of every tap has a weight of its own."""
    generator = torch.Generator().manual_seed(0)
    total = torch.zeros((), dtype=torch.float64, device=next(iter(students[0].values())).device)
    for student in students:
        for tap in student.values():
            weights = torch.randn(tap.shape, generator=generator, dtype=torch.float64).to(tap.device)
            total = total + (weights * tap).sum()
    return total


def _require(what: str, ours: Tensor, theirs: Tensor) -> None:
    if ours.shape != theirs.shape:
        raise FuseError(f"{what} has shape {tuple(ours.shape)} in the stack, but {tuple(theirs.shape)} in the student")
    if not ours.numel():
        return
    difference = float((ours.detach().double() - theirs.detach().double()).abs().max())
    scale = max(1.0, float(theirs.detach().double().abs().max()))
    if not difference <= TOLERANCE * scale:
        raise FuseError(f"{what} differs from the student's by {difference:.1e}, at most {TOLERANCE * scale:.0e} may")
