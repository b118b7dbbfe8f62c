"""best.py: a distiller as one Python file that needs torch alone and gives the same numbers."""

import ast
import keyword
from collections.abc import Iterable
from pathlib import Path

from kdzero_gp.distiller.align import Aligner
from kdzero_gp.distiller.distiller import Distiller
from kdzero_gp.distiller.labels import filled_labels, label_fault, mean_one, of_the_labelled
from kdzero_gp.distiller.pair_state import PairState
from kdzero_gp.errors import ConfigError
from kdzero_gp.export.distiller_file import WRITABLE, DistillerFileError
from kdzero_gp.export.module_branches import Branches
from kdzero_gp.export.module_runtime import TwoSides
from kdzero_gp.export.module_sources import IMPORTS, Sources
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.tree import Node
from kdzero_gp.provenance import program_versions
from kdzero_gp.untrusted import user_path
from kdzero_gp.whole_file import write_whole

TAP_ERROR = '''class TapError(ValueError):
    """A tap that is missing or has a shape that cannot be used."""'''
RESERVED = (
    *("TwoSides", "mean_one", "of_the_labelled", "annotations", "self"),
    *("taps", "side", "student", "teacher", "targets", "labels", "known", "device"),
)
LOCALS = ("x", "s", "t", "d", "u", "term")
GIVEN = ("Aligner", "PairState", "filled_labels", "label_fault", "TapError")


def write_standalone(distiller: Distiller, path: str | Path, *, name: str = "Distiller") -> Path:
    """Writes `standalone_source` to a file, whole or not at all; an existing one is replaced.

    Raises:
        PrimitiveError: the source of a primitive is not available.
        DistillerFileError: the file cannot be written.
    """
    path = user_path(path)
    source = standalone_source(distiller, name=name)
    write_whole(path, [source], then=WRITABLE, error=DistillerFileError)
    return path


def standalone_source(distiller: Distiller, *, name: str = "Distiller") -> str:
    """Gives a Python file with the distiller as a class: its primitives' own source, then one line per operation.

    The class takes the shapes of both networks' taps, or makes its aligners at the first call; called with two
    mappings of tensors and the targets it gives the loss that `distiller` gives, to rounding.

    Args:
        distiller: the formula with its calibration and seed.
        name: name of the class.

    Raises:
        ConfigError: the name is no name for a class.
        PrimitiveError: the source of a primitive, or of what it needs, is not available.
    """
    taken = {*RESERVED, *GIVEN, *IMPORTS.values(), *keyword.kwlist}
    if not (name.isidentifier() and name.isascii()) or name in taken:
        raise ConfigError(f"the class name is {name!r}, but must be a Python name that is not taken, such as Distiller")
    sources = Sources([name, *RESERVED, *(f"{v}{i}" for v in LOCALS for i in range(1, 1000))], given=GIVEN)
    functions = {operation.name: sources.operation(operation) for operation in _operations(distiller)}
    operations = len(sources.pieces)
    for own in (Aligner, PairState, label_fault, filled_labels, mean_one, of_the_labelled, TwoSides):
        sources.own(own)
    text = "\n\n\n".join(
        [
            f"{_header(distiller, sources, name)}\nfrom __future__ import annotations\n\n{_imports(sources.imports)}",
            *sources.pieces[:operations],
            TAP_ERROR,
            *sources.pieces[operations:],
            _class(distiller, functions, name),
        ]
    )
    ast.parse(text)  # a fault of the writer shows here, not at the user's
    return text + "\n"


def _operations(distiller: Distiller) -> list[Operation]:
    """Gives the operations below the terms, each once, in a fixed order."""
    nodes: Iterable[Node] = (node for term in distiller.terms_in_order for node in term.distance.walk())
    return list({node.operation.name: node.operation for node in nodes if node.operation is not None}.values())


def _header(distiller: Distiller, sources: Sources, name: str) -> str:
    lines = [f"A knowledge-distillation loss, L = {distiller.tree}", ""]
    calibrated = any(factor != 1 for factor in distiller.calibration.tolist())
    lines.append("L is the sum of, over samples i of the batch (s: student, t: teacher, w: sample weight of mean 1),")
    for number, (term, factor) in enumerate(
        zip(distiller.terms_in_order, distiller.calibration.tolist(), strict=True), start=1
    ):
        constant = f"{term.value:g}{f' * {factor:.6g} (calibration)' if calibrated else ''}"
        lines.append(f"  term {number}: {constant} * mean_i {term.distance.text}")
    lines += ["", "Operations (LaTeX):"]
    for operation in _operations(distiller):
        formula = " ".join(operation.formula.split()) or "(no formula given)"
        lines.append(f"  {operation.name}: {formula}")
    lines += ["", "Use:", f"  distiller = {name}(student_shapes, teacher_shapes)  # {{tap: shape without the batch}}"]
    lines += ["  loss = distiller(student, teacher, targets)  # {tap: tensor}, {tap: tensor}, (N,) class labels"]
    lines += [f"Taps: {', '.join(distiller.taps)}. Aligners, if there are any, train with the student."]
    lines += ["", f"Written by {', '.join(f'{what} {number}' for what, number in program_versions().items())}."]
    lines += [f"Needs torch{''.join(f' and {other}' for other in sorted(sources.third_party))}."]
    return "\n".join(f"# {line}".rstrip() for line in "\n".join(lines).splitlines())


def _imports(statements: Iterable[str]) -> str:
    """Import lines, plain ones first, names from one module on one line."""
    plain: list[str] = []
    names: dict[str, list[str]] = {}
    for statement in statements:
        if statement.startswith("from "):
            module, _, what = statement.removeprefix("from ").partition(" import ")
            names.setdefault(module, []).append(what)
        else:
            plain.append(statement)
    lines = [*sorted(plain), *(f"from {m} import {', '.join(sorted(set(what)))}" for m, what in sorted(names.items()))]
    return "\n".join(lines)


def _class(distiller: Distiller, functions: dict[str, str], name: str) -> str:
    branches = Branches(distiller.terms_in_order, functions)
    lines = [f"class {name}(TwoSides):", f'    """{distiller.tree}"""', ""]
    lines += [f"    TAPS = {distiller.taps!r}", "    BRANCHES = {"]
    lines += [f"        {branch!r}: {taps!r}," for branch, taps in branches.taps.items()]
    lines += ["    }"]
    if branches.ragged:
        lines += [f"    RAGGED = {branches.ragged!r}"]
    if branches.draws:
        lines += ["    DRAWS = True"]
    if branches.teacher_learns:
        lines += ["    TEACHER_LEARNS = True"]
    lines += ["", "    def __init__(", "        self,"]
    lines += [f"        {side}_shapes: Mapping[str, Sequence[int]] | None = None," for side in ("student", "teacher")]
    lines += [f"        seed: int = {distiller.seed},", "    ) -> None:"]
    lines += ["        super().__init__(student_shapes, teacher_shapes, seed)"]
    lines += branches.definitions
    lines += ["", "    def forward(", "        self,", "        student: Mapping[str, Tensor],"]
    lines += ["        teacher: Mapping[str, Tensor],", "        targets: Tensor | None = None,", "    ) -> Tensor:"]
    lines += ['        """The loss of one batch, a scalar."""']
    lines += ["        student, teacher = self.begin(student, teacher)"]
    lines += ["        device = next(iter(student.values())).device.type"]
    lines += ["        with torch.autocast(device, enabled=False):", *branches.joint]
    totals = []
    for number, (term, factor) in enumerate(
        zip(distiller.terms_in_order, distiller.calibration.tolist(), strict=True), start=1
    ):
        distance = branches.results[number - 1]
        lines.append(f"            term{number} = {distance}.mean() * ({term.value!r} * {factor!r})")
        totals.append(f"term{number}")
    lines.append(f"        return {' + '.join(totals)}")
    return "\n".join(lines)
