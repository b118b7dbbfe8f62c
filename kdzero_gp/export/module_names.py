"""Which names a piece of Python binds, needs, and how it reads with some of them changed."""

import ast
import copy
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
OUTSIDE = ("decorator_list", "bases", "keywords", "returns")
"""Fields of a definition that are read in the scope around it."""


def bindings(tree: ast.Module) -> dict[str, list[ast.stmt]]:
    """By global name, the top-level statements that give it its value: the last plain one and what changes it after."""
    result: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in bound_inside(statement):
            if not isinstance(statement, ast.AugAssign):
                result[name] = []
            result.setdefault(name, []).append(statement)
    return result


def bound_inside(statement: ast.stmt) -> set[str]:
    """Names that a statement binds in its own scope."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names: set[str] = set()
    for node in _same_scope(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {a.asname or a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
    return names


@lru_cache(maxsize=4096)
def free_names(node: ast.AST) -> dict[str, bool]:
    """Names that a node reads and does not bind itself, in order; True if they occur in annotations alone."""
    found: dict[str, bool] = {}
    for name, annotation in _free(node, frozenset()):
        found[name] = found.get(name, True) and annotation
    return found


def _free(node: ast.AST, local: frozenset[str], annotation: bool = False) -> Iterator[tuple[str, bool]]:
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in local:
            yield node.id, annotation
        return
    inner = local
    if isinstance(node, Function):
        arguments = [a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)]
        body = node.body if isinstance(node.body, list) else [node.body]
        inner = local | set(arguments) | {n for s in body for n in _bound(s)}
        for name in _declared_global(node):
            inner -= {name}
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        inner = local | {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
    elif isinstance(node, ast.ClassDef):
        inner = local | {n for s in node.body for n in bound_inside(s)}
    for key, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        outside = isinstance(node, Function | ast.ClassDef) and key in OUTSIDE
        for child in children:
            if isinstance(child, ast.AST):
                scope = local if outside else inner
                if isinstance(node, Function) and key == "args":
                    yield from _free_arguments(child, local)
                elif isinstance(node, ast.ClassDef) and isinstance(child, ast.FunctionDef):
                    yield from _free(child, local, annotation)  # methods do not see the class's own names
                else:
                    yield from _free(child, scope, annotation or key in ("annotation", "returns"))


def _free_arguments(node: ast.AST, local: frozenset[str]) -> Iterator[tuple[str, bool]]:
    """Defaults and annotations are read outside the function."""
    for key, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.arg):
                if child.annotation is not None:
                    yield from _free(child.annotation, local, True)
            elif isinstance(child, ast.AST):
                yield from _free(child, local, key == "annotation")


def _bound(statement: ast.AST) -> set[str]:
    return bound_inside(statement) if isinstance(statement, ast.stmt) else set()


def _declared_global(node: ast.AST) -> set[str]:
    return {name for n in ast.walk(node) if isinstance(n, ast.Global) for name in n.names}


def _same_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Gives a node and what is below it, without the insides of functions, classes and comprehensions."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return
    for child in ast.iter_child_nodes(node):
        yield from _same_scope(child)


def renamed(lines: Sequence[str], node: ast.AST, names: Mapping[str, str]) -> str:
    """Gives the text of a node with some global names changed, without its decorators.

    Raises:
        ValueError: one of the names is also local to the node, so that the text cannot tell which is meant.
    """
    node = _undecorated(node)
    occurrences = _occurrences(node)
    used = {name for _, _, name in occurrences} & set(names)
    local = _locals(node) if used else set()
    clash = sorted(used & local & set(free_names(node))) if used else []
    if clash:
        raise ValueError(f"`{clash[0]}` names a global and a local variable; give one of them another name")
    changed = {old: new for old, new in names.items() if old in used and old not in local}
    start, stop = node.lineno, node.end_lineno or node.lineno  # type: ignore[attr-defined]
    rows = [line.encode() for line in lines[start - 1 : stop]]
    rows[-1] = rows[-1][: node.end_col_offset]  # type: ignore[attr-defined]
    for line, column, name in (place for place in occurrences if place[2] in changed):
        row, end = rows[line - start], column + len(name.encode())
        if row[column:end] != name.encode():  # inside an f-string, where Python 3.11 gives no true position
            return _unparsed(node, changed)
        rows[line - start] = row[:column] + changed[name].encode() + row[end:]
    # an expression may start anywhere on its line, a definition starts it
    rows[0] = (b" " * node.col_offset if isinstance(node, ast.stmt) else b"") + rows[0][node.col_offset :]  # type: ignore[attr-defined]
    return textwrap.dedent(b"".join(rows).decode()).rstrip()


@lru_cache(maxsize=4096)
def _undecorated(node: ast.AST) -> ast.AST:
    """Gives a definition without its decorators, any other node as it is."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.decorator_list:
        node = copy.copy(node)
        node.decorator_list = []
    return node


@lru_cache(maxsize=4096)
def _occurrences(node: ast.AST) -> list[tuple[int, int, str]]:
    """Lists line, column and name of every name inside a node, the last first."""
    return sorted(((n.lineno, n.col_offset, n.id) for n in ast.walk(node) if isinstance(n, ast.Name)), reverse=True)


def _locals(node: ast.AST) -> set[str]:
    """Names that any function, lambda or comprehension inside a node binds for itself."""
    names: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, Function):
            names |= {a.arg for a in ast.walk(inner.args) if isinstance(a, ast.arg)}
            for statement in inner.body if isinstance(inner.body, list) else []:
                names |= bound_inside(statement)
            names -= _declared_global(inner)
        elif isinstance(inner, ast.comprehension):
            names |= {n.id for n in ast.walk(inner.target) if isinstance(n, ast.Name)}
    return names


def _unparsed(node: ast.AST, names: Mapping[str, str]) -> str:
    node = copy.deepcopy(node)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in names:
            inner.id = names[inner.id]
    return ast.unparse(node)


def import_statement(node: ast.Import | ast.ImportFrom, name: str, new: str) -> str:
    """Gives the import of one name out of a statement, bound to `new`."""
    alias = next(a for a in node.names if (a.asname or a.name.partition(".")[0]) == name)
    start = f"from {node.module} import" if isinstance(node, ast.ImportFrom) else "import"
    bound = alias.name if isinstance(node, ast.ImportFrom) or alias.asname else alias.name.partition(".")[0]
    if bound == new:
        return f"{start} {alias.name}"
    return f"{start} {alias.name} as {new}"


def is_installed(root: str) -> bool:
    """Tells whether a top-level module is importable without the user's own files."""
    if root in sys.stdlib_module_names or root == "torch":
        return True
    try:
        spec = find_spec(root)
    except (ImportError, ValueError):
        return False
    return spec is not None and "site-packages" in str(spec.origin)
