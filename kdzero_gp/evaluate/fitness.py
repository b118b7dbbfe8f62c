"""What a trained student is worth, lower is better."""

from collections.abc import Callable, Mapping

Parts = Mapping[str, float]


def eq2(parts: Parts, reference: Parts) -> float:
    """KD-Zero's Eq. 2 as printed: the plain sum of cross-entropy, sharpness gap and CKA gap."""
    return parts["ce"] + parts["sharpness_gap"] + parts["cka_gap"]


def relative(parts: Parts, reference: Parts) -> float:
    """Cross-entropy and CKA gap, each relative to the student alone: 2 is the student alone, below is better.

    The sharpness gap is left out: a good distiller may sharpen or soften a student, and in the plain sum that one part
    outweighs the others.
    """
    return sum(_relative(name, parts, reference) for name in ("ce", "cka_gap"))


def tempered(parts: Parts, reference: Parts) -> float:
    """Cross-entropy at the best temperature, relative to the student alone: 1 is the student alone, below is better.

    Chosen on a sample of trees on which it ranked short trainings best; on fresh trees it is as good as the other sums
    where trainings are short, and better than the plain sum where they are long (`benchmarks/proxy_rank`).
    """
    return _relative("tempered_ce", parts, reference)


def bce(parts: Parts, reference: Parts) -> float:
    """Binary cross-entropy relative to the student alone, for several classes an image: 1 is the student alone."""
    return _relative("bce", parts, reference)


def map_(parts: Parts, reference: Parts) -> float:
    """What mean average precision lacks to 1, relative to the student alone: 1 is the student alone."""
    return (1 - parts["map"]) / max(1 - reference["map"], SMALLEST)


def _relative(name: str, parts: Parts, reference: Parts) -> float:
    return parts[name] / max(reference[name], SMALLEST)


SMALLEST = 1e-6
"""Least reference a part is divided by: a perfect student alone has gaps of zero."""


FITNESS: dict[str, Callable[[Parts, Parts], float]] = {
    "tempered": tempered,
    "relative": relative,
    "eq2": eq2,
    "bce": bce,
    "map": map_,
}
"""Fitness functions of a candidate's parts and those of the student alone under the same training."""
