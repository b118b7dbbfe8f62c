"""best.json: a distiller as data. Writing is exact, reading checks everything and executes nothing."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.errors import ConfigError
from kdzero_gp.export.distiller_check import FORMAT, VERSION, DistillerFileError, checked, read_object
from kdzero_gp.provenance import program_versions
from kdzero_gp.untrusted import user_path
from kdzero_gp.whole_file import write_whole

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

__all__ = ["DistillerFileError", "load", "save"]

WRITABLE = "save it again, or choose a path in a writable folder that exists"
"""What a user does about a file that cannot be written."""


def save(
    distiller: Distiller,
    path: str | Path,
    *,
    teacher: str | None = None,
    student: str | None = None,
    fitness: float | None = None,
    parts: Mapping[str, float] | None = None,
    extra: Mapping[str, JSON] | None = None,
) -> Path:
    """Writes a distiller with its calibration, taps and seed; `load` gives the same numbers.

    The file appears whole or not at all. Aligners are not part of it: they belong to one training.

    Args:
        distiller: what to write; floats are kept bit for bit.
        path: the file, conventionally best.json; an existing one is replaced.
        teacher, student: names of the networks it was evolved for.
        fitness, parts: what it was worth there.
        extra: anything else that JSON can hold.

    Raises:
        ConfigError: a number is not finite, or a value has no JSON form.
        DistillerFileError: the file cannot be written.
    """
    path = user_path(path)
    text = distiller_json(distiller, teacher=teacher, student=student, fitness=fitness, parts=parts, extra=extra)
    write_whole(path, [text], then=WRITABLE, error=DistillerFileError)
    return path


def distiller_json(
    distiller: Distiller,
    *,
    teacher: str | None = None,
    student: str | None = None,
    fitness: float | None = None,
    parts: Mapping[str, float] | None = None,
    extra: Mapping[str, JSON] | None = None,
) -> str:
    """Gives the content of the file that `save` writes; arguments as there.

    Raises:
        ConfigError: a number is not finite, or a value has no JSON form.
    """
    content = {
        "format": FORMAT,
        "version": VERSION,
        "distiller": str(distiller.tree),
        "canonical": distiller.tree.key,
        "calibration": [float(factor) for factor in distiller.calibration.tolist()],
        "taps": list(distiller.taps),
        "seed": distiller.seed,
        "teacher": teacher,
        "student": student,
        "fitness": fitness,
        "parts": dict(parts or {}),
        "versions": program_versions(),
        "extra": dict(extra or {}),
    }
    for name, factor in zip(
        [term.text for term in distiller.terms_in_order], distiller.calibration.tolist(), strict=True
    ):
        if not (math.isfinite(factor) and factor > 0):
            raise ConfigError(f"the calibration of `{name}` is {factor}, but must be finite and positive to be saved")
    try:
        return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=True) + "\n"
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"this distiller cannot be written as JSON: {error}; `fitness`, `parts` and `extra` may hold finite "
            "numbers, strings, booleans, None, lists and mappings alone"
        ) from error


def load(path: str | Path) -> Distiller:
    """Reads a distiller that `save` wrote: the same formula, calibration and seed.

    Nothing in the file is executed. Its operations must be registered: a distiller with primitives of one's own is
    read after the file that declares them.

    Raises:
        DistillerFileError: the file is missing, is not of this format, or holds a value that breaks a rule.
        PrimitiveError: it uses a primitive that is not registered.
    """
    path = user_path(path)
    content = checked(read_object(path), path)
    try:
        distiller = Distiller(content.tree, calibration=content.calibration, seed=content.seed)
    except RecursionError:
        raise DistillerFileError(f"{path}: `distiller` has too many terms to be compiled; give a smaller one") from None
    if list(distiller.taps) != content.taps:
        raise DistillerFileError(
            f"{path}: `taps` is {content.taps}, but this distiller reads {list(distiller.taps)}; "
            "the file was edited, restore the one that was written"
        )
    return distiller
