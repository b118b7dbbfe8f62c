"""The kinds of task by name: one folder here each, found by walking it."""

import difflib
import pkgutil
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec

from kdzero_gp import tasks as folder
from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.tree import Node, Tree
from kdzero_gp.grammar.types import Logits
from kdzero_gp.tasks.kind import TaskKind

DEFAULT = "classification"


@lru_cache(maxsize=1)
def kinds() -> dict[str, TaskKind]:
    """Lists all kinds by name, the default one first and the others sorted."""
    found: dict[str, TaskKind] = {}
    for module in pkgutil.iter_modules(folder.__path__, f"{folder.__name__}."):
        if module.ispkg and find_spec(f"{module.name}.kind") is not None:
            kind: TaskKind = import_module(f"{module.name}.kind").KIND
            found[kind.name] = kind
    return dict(sorted(found.items(), key=lambda item: (item[0] != DEFAULT, item[0])))


def task_help() -> str:
    """Lists the kinds, the default first, for the help of `--task`."""
    texts = (f"{'{default} (default)' if name == DEFAULT else name}: {kind.about}" for name, kind in kinds().items())
    return "; ".join(texts) + "."


def kind_of(name: str = DEFAULT) -> TaskKind:
    """Finds the kind of a name.

    Raises:
        ConfigError: there is none; names the known and the closest ones.
    """
    if name not in kinds():
        close = difflib.get_close_matches(name, kinds(), n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ConfigError(f"--task is '{name}', but must be {' or '.join(kinds())}.{hint}")
    return kinds()[name]


def check_tree(kind: TaskKind, tree: Tree, whose: str) -> None:
    """Checks that a distiller's operations fit the classes of a kind of task.

    Args:
        whose: what messages call the distiller.

    Raises:
        ConfigError: one takes class scores as one distribution, and classes do not exclude one another.
    """
    name = next((node.symbol for node in tree.root.walk() if _takes_one_class(node)), None)
    if name is not None and not kind.exclusive:
        raise ConfigError(
            f"{whose} has `{name}` on class scores, which holds for images of exactly one class, but with --task "
            f"{kind.name} an image may have several; take an operation that treats each class by itself, such as "
            f"sigmoid_kl, or the method {kind.baseline}"
        )


def _takes_one_class(node: Node) -> bool:
    """Whether an operation takes class scores as one distribution."""
    if node.operation is None or node.operation.classes != "exclusive":
        return False
    return node.kind == "weight" or any(child.type is Logits for child in node.children)
