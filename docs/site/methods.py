"""The table of the hand-designed methods, read from their registry."""

from docs.site.primitives import _prose as prose
from kdzero_gp.methods.method import Method
from kdzero_gp.methods.options import shown
from kdzero_gp.methods.registry import METHODS

MARK = "<!-- table of methods -->"
"""Stands in a page where the table belongs."""


def with_table(markdown: str) -> str:
    """A page with the table in the place of its mark."""
    return markdown.replace(MARK, table()) if MARK in markdown else markdown


def table() -> str:
    """All methods with their options, what each is made of, and its source."""
    return "\n".join(
        ["| name and options | is a | what it computes | source |", "|---|---|---|---|", *map(_row, METHODS.values())]
    )


def _row(method: Method) -> str:
    options = ", ".join(f"{name}={shown(value)}" for name, value in method.defaults.items())
    call = f"`{method.name}({options})`" if options else f"`{method.name}`"
    kind = "student alone" if method.alone else "module" if method.text is None else "tree"
    said = " ".join(((method.text or method.module).__doc__ or "").split("\n\n")[0].split()) if not method.alone else ""
    return (
        "| "
        + " | ".join(cell.replace("|", "&#124;") for cell in (call, kind, prose(said), prose(method.source)))
        + " |"
    )
