"""A fitness function of your own, for `--primitives` or kdzero_gp/evaluate/fitness.py."""

from kdzero_gp.evaluate.fitness import SMALLEST, Parts, fitness


@fitness(
    parts=("accuracy",),
    formula=r"(1 - \mathrm{acc}) \,/\, (1 - \overline{\mathrm{acc}})",
    about="errors relative to the student alone",
)
def errors(parts: Parts, reference: Parts) -> float:
    """Share of validation images that are wrong, relative to the student alone: 1 is the student alone."""
    return (1 - parts["accuracy"]) / max(1 - reference["accuracy"], SMALLEST)
