"""The fitness functions by name, each declared once.

A fitness function is given the parts that were measured on a student, by name, and those of the student alone after
the same training. A new one is one decorated function, here or in a file that `--primitives` names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from kdzero_gp.choices import Choices
from kdzero_gp.errors import ConfigError
from kdzero_gp.tasks.kind import TaskKind

Parts = Mapping[str, float]
Function = Callable[[Parts, Parts], float]
Direction = Literal["lower", "higher"]

DEFAULT_FITNESS = "tempered"
SMALLEST = 1e-6
"""Least reference a part is divided by: a perfect student alone has gaps of zero."""


@dataclass(frozen=True)
class Fitness:
    """A fitness function as the search uses it: called with parts and reference, lower is better.

    Attributes:
        direction: which values of the function are better; the search is given the negative of a function whose
            higher values are.
        parts: names of the measured parts that it reads.
        formula: LaTeX, for people; a bar over a part marks the student alone's.
        function: of the parts and of the reference.
    """

    name: str
    direction: Direction
    parts: tuple[str, ...]
    formula: str
    function: Function

    def __call__(self, parts: Parts, reference: Parts) -> float:
        """Computes the fitness, lower is better.

        Raises:
            ConfigError: a part that it reads was not measured.
        """
        self.require(parts)
        value = self.function(parts, reference)
        return value if self.direction == "lower" else -value

    def require(self, measured: Mapping[str, object] | tuple[str, ...]) -> None:
        """Checks that every part it reads is measured.

        Raises:
            ConfigError: names those that are not.
        """
        if missing := [name for name in self.parts if name not in measured]:
            raise ConfigError(
                f"--fitness {self.name} reads {', '.join(missing)}, but students are measured by "
                f"{', '.join(measured)}; take another fitness function"
            )


FITNESS: Choices[Fitness] = Choices("--fitness")
"""All fitness functions by name."""


def fitness(
    *, parts: tuple[str, ...], formula: str, about: str, name: str | None = None, direction: Direction = "lower"
) -> Callable[[Function], Function]:
    """Declares a fitness function `(parts, reference) -> float`.

    Args:
        parts, formula, direction: see `Fitness`.
        about: a few words for the help of `--fitness`.
        name: by default the function's.
    """

    def declare(function: Function) -> Function:
        label = name or function.__name__

        def wrap(declared: Function) -> Fitness:
            return Fitness(label, direction, parts, formula, declared)

        return FITNESS.declare(label, about, wrap)(function)

    return declare


def check_fitness(name: str, kind: TaskKind) -> None:
    """Checks that there is a fitness function of this name, and that it fits a kind of task.

    It fits where it reads nothing but the parts that the kind's own fitness functions read, and the kind's quality.

    Raises:
        ConfigError: names those that fit.
    """
    FITNESS.require(name)
    measured = {part for own in kind.fitness for part in FITNESS.require(own).parts} | {kind.quality.key}
    fitting = [each for each, chosen in FITNESS.items() if measured.issuperset(chosen.parts)]
    if name not in fitting:
        raise ConfigError(f"--fitness is {name}, but with --task {kind.name} it must be {' or '.join(fitting)}")


@fitness(
    parts=("tempered_ce",),
    formula=r"\min_\tau\mathrm{CE}(z/\tau) \,/\, \overline{\min_\tau\mathrm{CE}(z/\tau)}",
    about="cross-entropy at the best temperature, relative to the student alone",
)
def tempered(parts: Parts, reference: Parts) -> float:
    """Cross-entropy at the best temperature, relative to the student alone: 1 is the student alone, below is better.

    Chosen on a sample of trees on which it ranked short trainings best; on fresh trees it is as good as the other sums
    where trainings are short, and better than the plain sum where they are long (`python -m benchmarks.proxy_rank`).
    """
    return _relative("tempered_ce", parts, reference)


@fitness(
    parts=("ce", "cka_gap"),
    formula=r"\mathrm{CE}/\overline{\mathrm{CE}} + \mathrm{CKA\,gap}/\overline{\mathrm{CKA\,gap}}",
    about="cross-entropy and CKA gap, each relative to the student alone",
)
def relative(parts: Parts, reference: Parts) -> float:
    """Cross-entropy and CKA gap, each relative to the student alone: 2 is the student alone, below is better.

    The sharpness gap is left out: a good distiller may sharpen or soften a student, and in the plain sum that one part
    outweighs the others.
    """
    return sum(_relative(name, parts, reference) for name in ("ce", "cka_gap"))


@fitness(
    parts=("ce", "sharpness_gap", "cka_gap"),
    formula=r"\mathrm{CE} + \mathrm{sharpness\,gap} + \mathrm{CKA\,gap}",
    about="KD-Zero's plain sum of cross-entropy, sharpness gap and CKA gap",
)
def eq2(parts: Parts, reference: Parts) -> float:
    """KD-Zero's Eq. 2 as printed: the plain sum of cross-entropy, sharpness gap and CKA gap."""
    return parts["ce"] + parts["sharpness_gap"] + parts["cka_gap"]


@fitness(
    parts=("bce",),
    formula=r"\mathrm{BCE}/\overline{\mathrm{BCE}}",
    about="binary cross-entropy relative to the student alone, the default of multilabel",
)
def bce(parts: Parts, reference: Parts) -> float:
    """Binary cross-entropy relative to the student alone, for several classes an image: 1 is the student alone."""
    return _relative("bce", parts, reference)


@fitness(
    name="map",
    parts=("map",),
    formula=r"(1 - \mathrm{mAP}) \,/\, (1 - \overline{\mathrm{mAP}})",
    about="what mean average precision lacks to 1, relative to the student alone, for multilabel",
)
def map_(parts: Parts, reference: Parts) -> float:
    """Tells what mean average precision lacks to 1, relative to the student alone: 1 is the student alone."""
    return (1 - parts["map"]) / max(1 - reference["map"], SMALLEST)


def _relative(name: str, parts: Parts, reference: Parts) -> float:
    return parts[name] / max(reference[name], SMALLEST)
