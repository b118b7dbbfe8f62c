"""The rungs of a race: up to which step candidates are trained, and how many are promoted."""

from dataclasses import dataclass
from typing import Self

from kdzero_gp.errors import ConfigError


@dataclass(frozen=True)
class Ladder:
    """Successive halving: all candidates train up to the first rung, the best 1/eta of a rung up to the next.

    Source: Jamieson, Talwalkar: Non-stochastic Best Arm Identification and Hyperparameter Optimization (AISTATS 2016).

    Attributes:
        ends: step of the schedule at which each rung ends; one rung is no race.
        eta: one of so many that finished a rung is promoted.
    """

    ends: tuple[int, ...]
    eta: int = 3

    @classmethod
    def of(cls, steps: int, rungs: int, eta: int) -> Self:
        """Makes a ladder whose last rung is the whole training, and each rung 1/eta of the next.

        Raises:
            ConfigError: the training is too short for so many rungs.
        """
        ends = tuple(-(-steps // eta**below) for below in reversed(range(rungs)))
        if len(set(ends)) < rungs:
            raise ConfigError(
                f"--rungs {rungs} with --eta {eta} would end at steps {', '.join(map(str, ends))} of {steps}; take "
                "fewer rungs or a longer training (--proxy-epochs)"
            )
        return cls(ends, eta)

    def promoted(self, finished: int) -> int:
        """Gives the number of candidates that are promoted, of those that finished a rung."""
        return -(-finished // self.eta)

    @property
    def last(self) -> int:
        """Number of the last rung."""
        return len(self.ends) - 1
