"""The table of operations that `--list-primitives` prints."""

from collections.abc import Iterable
from typing import Any

from rich.markup import escape
from rich.table import Table

from kdzero_gp.grammar.operation import Operation


def primitive_rows(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """One record per operation: name, kind, types, formula, set and source."""
    return [
        {
            "name": operation.name,
            "kind": operation.kind,
            "types": [str(signature) for signature in operation.signatures],
            "formula": operation.formula,
            "space": "extended" if operation.extended else "table1",
            "description": operation.doc.partition("\n")[0],
            "source": operation.source,
        }
        for operation in operations
    ]


def primitive_table(rows: Iterable[dict[str, Any]]) -> Table:
    """The records as a table for a terminal."""
    table = Table("name", "kind", "types", "formula", "set", "source", title="Primitives", show_lines=False)
    for row in rows:
        cells = row["name"], row["kind"], "\n".join(row["types"]), row["formula"], row["space"], row["source"]
        table.add_row(*map(escape, cells))  # a formula's brackets are no markup
    return table
