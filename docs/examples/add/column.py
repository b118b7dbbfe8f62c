"""A column of the final table, for `--primitives` or kdzero_gp/evolve/columns.py."""

from kdzero_gp import parse
from kdzero_gp.evolve.columns import column
from kdzero_gp.evolve.final import Row
from kdzero_gp.tasks.kind import TaskKind


@column("size", unit="nodes", align="right")
def size(row: Row, kind: TaskKind) -> str | None:
    """How large the tree is; the student alone has none."""
    return None if row.tree is None else str(parse(row.tree).size)
