"""All methods with what each reads, learns and costs, on the pair that most of them are published for."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from kdzero_gp.knowledge import Knowledge
from kdzero_gp.methods.loss import MethodLoss, as_method
from kdzero_gp.methods.method import Method
from kdzero_gp.methods.named import make_loss
from kdzero_gp.methods.options import shown
from kdzero_gp.methods.phase import PUBLISHED_EPOCHS
from kdzero_gp.methods.registry import METHODS
from kdzero_gp.methods.world import World
from kdzero_gp.models import build
from kdzero_gp.randomness import seeded
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.network import Network
from kdzero_gp.taps.read import TapReader

PAIR = ("resnet20", "resnet56")
"""Student and teacher whose shapes the numbers are for."""
CLASSES, IMAGES = 100, 50_000
"""Of CIFAR-100."""


@dataclass(frozen=True)
class MethodRow:
    """One method as a list shows it.

    Attributes:
        kind: `tree`, `module` or `alone`.
        taps: that it reads of the student; those that differ in the teacher behind a bar.
        learned: parameters trained beside the student's.
        phases: epochs of the published schedule, extra ones first; `240` for most.
        needs: what it needs beside taps.
        options: with their published values.
    """

    name: str
    kind: str
    source: str
    home: str
    taps: str
    learned: int
    phases: str
    needs: tuple[str, ...]
    ce_weight: float
    options: str


def method_rows() -> list[MethodRow]:
    """Gives a row for every registered method, in the registry's order."""
    images = torch.zeros(2, 3, 32, 32)
    networks = []
    for role, name in zip(("student", "teacher"), PAIR, strict=True):
        with seeded(0):
            model = build(name, num_classes=CLASSES).eval()
        networks.append(Network(role, model, find_taps(model, images), lambda: images))  # type: ignore[arg-type]
    student, teacher = networks
    world = World(IMAGES, torch.arange(IMAGES) % CLASSES, CLASSES, student=student, teacher=teacher)
    return [_row(method, world) for method in METHODS.values()]


def _row(method: Method, world: World) -> MethodRow:
    student, teacher = world.networks("the list")
    module = None if method.module is None else method.call
    tree = None if method.text is None else method.tree(student.taps.stages)
    loss = as_method(make_loss(tree, module, student.taps.stages))
    options = ", ".join(f"{name}={shown(value)}" for name, value in method.defaults.items())
    kind = "alone" if loss is None else "module" if module else "tree"
    facts = (method.name, kind, method.source, method.home)
    if loss is None:
        return MethodRow(*facts, "", 0, str(PUBLISHED_EPOCHS), (), method.ce_weight, options)
    known: list[Knowledge] = []
    for network, names in ((student, loss.student_taps), (teacher, loss.teacher_taps)):
        with torch.no_grad(), TapReader(network.model, network.places(names), names) as reader:
            known.append(reader(torch.zeros(2, 3, 32, 32)))
    loss.prepare(known[0], known[1], world)
    everything = {*loss.wrap(student.model).parameters(), *loss.parameters()} - set(student.model.parameters())
    learned = sum(parameter.numel() for parameter in everything)
    return MethodRow(*facts, _taps(loss), learned, phases(loss), loss.needs, method.ce_weight, options)


def _taps(loss: MethodLoss) -> str:
    ours, theirs = " ".join(loss.student_taps), " ".join(loss.teacher_taps)
    return ours if ours == theirs else f"{ours} | {theirs}"


def phases(loss: MethodLoss) -> str:
    """Epochs of a method's phases in the published schedule, those beside it behind a plus: `240 + 30`."""
    extra = [str(phase.extra_epochs) for phase in loss.phases if phase.extra_epochs]
    within = [phase for phase in loss.phases if not phase.extra_epochs]
    shares = "/".join(f"{phase.share * PUBLISHED_EPOCHS:g}" for phase in within)
    return " + ".join([shares, *extra])
