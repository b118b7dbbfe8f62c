"""The pages of the primitives: one for each file that declares some, and a table of all."""

import ast
import html
import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any

from docs.site.example_tree import example_tree
from kdzero_gp import parse
from kdzero_gp.drawing.formula import formula_svg
from kdzero_gp.drawing.render import svg
from kdzero_gp.grammar.operation import STRUCTURE, Operation
from kdzero_gp.grammar.registry import default_registry

ROOT = Path(__file__).resolve().parents[2]
INDEX = "primitives/index.md"
INTRODUCTION = """# Primitives

The operations that a distiller is made of, {count} of them, each with its formula and a drawing of a small distiller
that uses it. `python -m kdzero_gp.run --list-primitives` prints the same list, with `--primitives FILE` your
own among them; [to add one](../add/index.md) takes one decorated function. What is marked *extended* is drawn by a
search with `--space extended` alone; any text form may use it.

A formula tells what happens to one side's tensor *x*, or to the student's and the teacher's tensors *s* and *t*.
Subscripts name the dimensions that a sum or a mean runs over: N samples, C channels, H rows, W columns.
"""
NOTES = {
    "extended": "Drawn by a search only with `--space extended`.",
    "identity": "Changes nothing: the canonical form leaves it out.",
    "idempotent": "Applied twice it is applied once: the canonical form merges repeats.",
    "random": "Random: student and teacher get the same draw.",
    "learned": "Has learned parameters, which are trained with the student.",
    "labels": "Reads the true class of every sample.",
}


def pages() -> dict[str, str | bytes]:
    """All pages and drawings of the primitives, by their path in the site."""
    found: dict[str, str | bytes] = {INDEX: _index()}
    for uri, operations in _by_page().items():
        if uri != INDEX:
            found[uri] = _page(operations)
    for operation in default_registry().values():
        found[f"primitives/drawings/{operation.name}.svg"] = svg(parse(example_tree(operation))).encode("utf-8")
    return found


def navigation() -> list[Any]:
    """The table of all, then the pages by kind."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for uri in _by_page():
        if uri != INDEX:
            folder, stem = Path(uri).parts[-2:]
            kinds.setdefault(folder.capitalize(), []).append({_title(stem): uri})
    return [INDEX, *({kind: listed} for kind, listed in kinds.items())]


def _by_page() -> dict[str, list[Operation]]:
    """The operations by the page that tells of them: a page stands for a source file, the index for the structure."""
    found: dict[str, list[Operation]] = {}
    for operation in default_registry().values():
        file = operation.source.partition(":")[0]
        inside = operation not in STRUCTURE and file.startswith("primitives/")
        found.setdefault(str(Path(file).with_suffix(".md")) if inside else INDEX, []).append(operation)
    return found


def _title(stem: str) -> str:
    return stem.removesuffix(".md").replace("_", " ").capitalize()


def _index() -> str:
    registry = default_registry()
    parts = [INTRODUCTION.format(count=len(registry))]
    headings = {
        "transform": "## Transforms\n\nOf what both networks know, applied to student and teacher alike.\n",
        "distance": "## Distances\n\nBetween the student's and the teacher's tensor: one number for every sample.\n",
        "weight": "## Sample weightings\n\nHow much each sample's distance counts, from both sides' class scores; "
        "the engine rescales the weights to mean 1.\n",
        "structure": "## Terms and sums\n",
    }
    where = {operation.name: uri for uri, operations in _by_page().items() for operation in operations}
    for kind, heading in headings.items():
        parts += [heading, "| name | takes and gives | formula | set |", "|---|---|---|---|"]
        parts += [_row(o, where[o.name]) for o in registry.values() if o.kind == kind]
        parts.append("")
    parts += [_entry(o, drawings="drawings/") for o in STRUCTURE]
    return "\n".join(parts)


def _row(operation: Operation, uri: str) -> str:
    link = f"#{operation.name}" if uri == INDEX else f"{uri.removeprefix('primitives/')}#{operation.name}"
    outlines = _formula(operation).replace("|", "&#124;")
    space = "extended" if operation.extended else ""
    return f"| [`{operation.name}`]({link}) | {_types(operation)} | {outlines} | {space} |"


def _page(operations: list[Operation]) -> str:
    file = operations[0].source.partition(":")[0]
    introduction = ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8"))) or ""
    return "\n".join([f"# {_title(Path(file).stem)}\n", _prose(introduction), "", *map(_entry, operations)])


def _entry(operation: Operation, drawings: str = "../drawings/") -> str:
    """What a page says of one operation."""
    text = example_tree(operation)
    lines = [
        f"## `{operation.name}` {{ #{operation.name} }}",
        f'<div class="formula">{_formula(operation)}</div>' if operation.formula else "",
        _prose(operation.doc),
        f"Takes and gives: {_types(operation)}.",
        *_notes(operation),
        f"```\n{text}\n```",
        f"![Drawing of {html.escape(text)}]({drawings}{operation.name}.svg){{ .drawing }}",
        *_source(operation),
    ]
    return "\n\n".join(filter(None, lines)) + "\n"


def _notes(operation: Operation) -> Iterable[str]:
    yield from (note for name, note in NOTES.items() if getattr(operation, name))
    if operation.side != "both":
        yield f"Acts on the {operation.side}'s side alone; the other's passes unchanged."


def _source(operation: Operation) -> Iterable[str]:
    if operation in STRUCTURE:
        return
    code = inspect.getsource(inspect.unwrap(operation.function)).rstrip()
    yield f'??? quote "Source: {operation.source}"\n\n' + indent(f"```python\n{code}\n```", "    ")


def _types(operation: Operation) -> str:
    """The typings in one line: `Map`, `Rows` → the same; those with another output are written out."""
    outputs: Mapping[str, list[str]] = {}
    for signature in operation.signatures:
        inputs = ", ".join(type_.__name__ for type_ in signature.inputs)
        same = signature.inputs == (signature.output,)
        outputs.setdefault("the same" if same else f"`{signature.output.__name__}`", []).append(f"`{inputs}`")  # type: ignore[attr-defined]
    return "; ".join(f"{', '.join(inputs)} → {output}" for output, inputs in outputs.items())


def _formula(operation: Operation) -> str:
    """The formula as outlines; its LaTeX where they cannot be made."""
    if not operation.formula:
        return ""
    outlines = formula_svg([operation.formula])
    return outlines.strip() if outlines is not None else f"`{operation.formula}`"


def _prose(doc: str) -> str:
    """A docstring as Markdown: outside of code, what Markdown or HTML would act on is taken as it stands."""
    pieces = re.split(r"(`[^`]*`)", doc)
    pieces[::2] = [re.sub(r"([*_\[\]])", r"\\\1", html.escape(piece, quote=False)) for piece in pieces[::2]]
    return "".join(pieces)
