"""A hand-designed method that evolved trees are added to: `--base`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.grammar.parse import parse
from kdzero_gp.loops.single import Training
from kdzero_gp.methods.named import NamedDistiller, make_loss, named_distiller, summed
from kdzero_gp.methods.phase import Phase
from kdzero_gp.methods.registry import method
from kdzero_gp.tasks.task import Task

OPTION = "--base"


class Base:
    """The loss that is always there, with its published weights, cross-entropy weight and warm-up.

    Args:
        text: a method as a user writes it, `review` or `dkd(beta=8)`.
        stages: names of the stages that both networks have.
    """

    def __init__(self, text: str, stages: Sequence[str]) -> None:
        self.name = method(text).call
        self.stages = tuple(stages)
        self.named: NamedDistiller = named_distiller(self.name, stages)

    @property
    def alone(self) -> Candidate:
        """The base without a tree."""
        named = self.named
        tree = None if named.tree is None else str(named.tree)
        return Candidate(tree, ce_weight=named.ce_weight, warmup=named.warmup, module=named.module)

    def plus(self, candidate: Candidate) -> Candidate:
        """A tree's candidate with the base beside it."""
        if candidate.tree is None:
            raise ValueError("the base is added to a tree")
        tree, calibration = parse(candidate.tree), candidate.calibration
        if self.named.tree is not None:
            tree, factors = summed((self.named.tree, None), (tree, calibration or None))
            calibration = None if factors is None else tuple(factors)
        return replace(
            candidate,
            tree=str(tree),
            calibration=calibration,
            ce_weight=self.named.ce_weight,
            warmup=self.named.warmup,
            module=self.named.module,
        )

    def alone_in_program(self) -> str:
        """Why students that learn by it are trained one by one; "" if several may be in one program."""
        return "" if self.named.module is None else f"{self.name} is a module"

    def check(self, task: Task, rungs: int) -> None:
        """Sees that it can train the task's student.

        Raises:
            ConfigError: it does not fit the kind of task, its phases do not go with rungs, or it needs what is missing.
            TapError: it reads a tap that one of the networks does not have.
        """
        self.named.check(task.kind, OPTION)
        loss = make_loss(self.named.tree, self.named.module, self.stages)
        phases = getattr(loss, "phases", (Phase(),))
        if rungs > 1 and phases != (Phase(),):
            raise ConfigError(
                f"{OPTION} {self.name} has phases of its own, but --rungs {rungs} stops students between; use --rungs 1"
            )
        Training(task, loss, replace(task.proxy, ce_weight=self.named.ce_weight), student_seed=0, order_seed=0)
