"""The records of a search: a `Proposal` asks for a tree, an `Evaluation` answers."""

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Literal, Self, get_args

from kdzero_gp.grammar.tree import Tree

Status = Literal["ok", "rejected", "nan", "error", "timeout", "oom", "worker_lost"]

_STATUSES: tuple[str, ...] = get_args(Status)
_LARGEST_INTEGER = 2**63 - 1  # what an SQLite INTEGER holds


@dataclass(frozen=True)
class Proposal:
    """A tree that the search asked to be evaluated.

    Attributes:
        number: dense, 0-based place in the order of asking within its arm.
        generation: 0-based generation that asked.
        arm: which search asked: "evolve" or "random".
        operator: how the tree came about: "random", "seed", "crossover", "join", "subtree", "node",
            "constant", "hoist", "shrink" or "insert".
        parents: numbers of the proposals it was made from, in the same arm.
        tree: text form, as proposed.
        canonical: text of the canonical form.
        rung: 0-based rung of the race.
        parsed: the tree itself, where the proposal was made in this process; not part of the record.

    Raises:
        ValueError: a count is negative or no integer, or a text is empty.
    """

    number: int
    generation: int
    arm: str
    operator: str
    parents: tuple[int, ...]
    tree: str
    canonical: str
    rung: int
    parsed: Tree | None = field(default=None, compare=False, repr=False)

    def at(self, rung: int) -> Self:
        """Gives the same proposal at another rung of the race."""
        return replace(self, rung=rung)

    def __post_init__(self) -> None:
        for name in ("number", "generation", "rung"):
            object.__setattr__(self, name, _count(name, getattr(self, name)))
        object.__setattr__(self, "parents", tuple(_count("parents", parent) for parent in self.parents))
        for name in ("arm", "operator", "tree", "canonical"):
            object.__setattr__(self, name, _text(name, getattr(self, name), empty=False))


@dataclass(frozen=True)
class Evaluation:
    """The result of one evaluation of a tree.

    Numbers of other libraries (NumPy scalars) become plain `int` and `float`, so that what is stored and what
    was handed in are equal. A fitness or duration of -0.0 becomes 0.0: an SQLite REAL has no negative zero.

    Attributes:
        status: "ok", or why there is no fitness.
        stage: the screening stage that turned the tree down; set exactly when status is "rejected".
        fitness: finite, lower is better; set exactly when status is "ok".
        parts: what the fitness is made of and what was measured beside it; NaN and infinity are allowed.
        calibration: the factor of each term, in the tree's order.
        fingerprint: functional fingerprint, None where the tree did not get that far.
        steps: student training steps spent.
        seed: seed of the proxy training; any integer.
        seconds: wall-clock time in s; not part of the history.
        host: name of the machine; not part of the history.
        error: message or traceback.
        state: where the student stopped, as safetensors; None where it goes on no further. The store keeps it apart
            from the record.

    Raises:
        ValueError: a field breaks one of the rules above.
    """

    status: Status
    stage: str | None = None
    fitness: float | None = None
    parts: dict[str, float] = field(default_factory=dict)
    calibration: tuple[float, ...] = ()
    fingerprint: str | None = None
    steps: int = 0
    seed: int = 0
    seconds: float = 0.0
    host: str = field(default_factory=platform.node)
    error: str | None = None
    state: bytes | None = field(default=None, repr=False)

    @classmethod
    def rejected(
        cls,
        stage: str,
        *,
        calibration: tuple[float, ...] = (),
        fingerprint: str | None = None,
        seed: int = 0,
        seconds: float = 0.0,
    ) -> Self:
        """Gives the evaluation of a candidate that a screening stage turned down."""
        return cls("rejected", stage, calibration=calibration, fingerprint=fingerprint, seed=seed, seconds=seconds)

    @classmethod
    def failed(
        cls,
        status: Status,
        error: str,
        *,
        calibration: tuple[float, ...] | None = None,
        fingerprint: str | None = None,
        steps: int = 0,
        seed: int = 0,
        seconds: float = 0.0,
    ) -> Self:
        """Gives the evaluation of a candidate whose screening or training failed."""
        return cls(
            status,
            calibration=calibration or (),
            fingerprint=fingerprint,
            steps=steps,
            seed=seed,
            seconds=seconds,
            error=error,
        )

    @property
    def was_trained(self) -> bool:
        """Whether a training was made, with success or not: the candidate came past the fingerprint."""
        return self.status == "ok" or (self.status != "rejected" and self.fingerprint is not None)

    def without_state(self) -> Self:
        """Gives the evaluation as the store records it."""
        return replace(self, state=None)

    def __post_init__(self) -> None:
        if self.status not in _STATUSES:
            raise ValueError(f"status is {self.status!r}, but must be one of {', '.join(_STATUSES)}")
        if (self.status == "rejected") != (self.stage is not None):
            raise ValueError(
                f"stage is {self.stage!r} with status {self.status!r}, but must be set exactly when rejected"
            )
        if (self.status == "ok") != (self.fitness is not None):
            raise ValueError(
                f"fitness is {self.fitness!r} with status {self.status!r}, but must be set exactly when ok"
            )
        put = object.__setattr__
        if self.fitness is not None:
            put(self, "fitness", _finite("fitness", self.fitness))
        put(self, "parts", _floats_by_name(self.parts))
        put(self, "calibration", tuple(_float("calibration", factor) for factor in self.calibration))
        put(self, "steps", _count("steps", self.steps))
        put(self, "seed", _integer("seed", self.seed))
        put(self, "seconds", _finite("seconds", self.seconds))
        if self.seconds < 0:
            raise ValueError(f"seconds is {self.seconds!r}, but must be >= 0")
        put(self, "host", _text("host", self.host))
        for name in ("stage", "fingerprint", "error"):
            value = getattr(self, name)
            put(self, name, None if value is None else _text(name, value, empty=name != "stage"))


def _integer(name: str, value: object) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, but must be an integer")
    return int(value)


def _count(name: str, value: object) -> int:
    number = _integer(name, value)
    if not 0 <= number <= _LARGEST_INTEGER:
        raise ValueError(f"{name} is {number}, but must be between 0 and 2**63 - 1")
    return number


def _float(name: str, value: object) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}, but must be a number")
    return float(value)


def _finite(name: str, value: object) -> float:
    number = _float(name, value)
    if not math.isfinite(number):
        raise ValueError(f"{name} is {number!r}, but must be finite")
    return number + 0.0


def _floats_by_name(parts: Mapping[str, object]) -> dict[str, float]:
    return {_text("parts", name): _float(f"parts[{name!r}]", value) for name, value in parts.items()}


def _text(name: str, value: object, *, empty: bool = True) -> str:
    if not isinstance(value, str) or not (value or empty):
        raise ValueError(f"{name} is {value!r}, but must be a {'' if empty else 'non-empty '}string")
    # An error message can quote a file name that is no valid Unicode; no database takes it as it stands.
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
