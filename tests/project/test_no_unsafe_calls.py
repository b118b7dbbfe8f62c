"""No code that a file or an argument reaches turns text or bytes into running code.

The check reads the syntax trees, not the text, so a docstring may say `eval` and a model may be put
into `.eval()` mode, while `from os import system as s; s(...)` and `register("evaluate", eval)` are found.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("kdzero_gp", "primitives", "benchmarks")

BUILTINS = {"eval", "exec", "compile", "__import__"}
MODULES = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
NAMES = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "yaml.unsafe_load",
    "yaml.unsafe_load_all",
    "yaml.full_load",
    "yaml.full_load_all",
    "deap.gp.compile",
    "deap.gp.compileADF",
    "pandas.read_pickle",
    "torch.hub.load",
}
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader", "yaml.BaseLoader", "yaml.CBaseLoader"}


def imported_names(tree: ast.AST) -> dict[str, str]:
    """Local name -> full dotted name, for everything the file imports."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                names[alias.asname or head] = alias.name if alias.asname else head
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            names.update({alias.asname or alias.name: f"{origin}.{alias.name}" for alias in node.names})
    return names


def own_names(tree: ast.AST) -> set[str]:
    """Functions and arguments that the file itself defines: they hide the builtins of the same name."""
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return own | {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


def is_constant(value: ast.expr | None, wanted: bool) -> bool:
    return isinstance(value, ast.Constant) and value.value is wanted


def findings(source: str) -> list[str]:
    """Every unsafe use in a Python source, as "line: what"."""
    tree = ast.parse(source)
    imported, own = imported_names(tree), own_names(tree)

    def full_name(node: ast.expr) -> str:
        """`np.load` -> "numpy.load"; `f().load` -> ".load"."""
        if isinstance(node, ast.Attribute):
            return f"{full_name(node.value)}.{node.attr}"
        return imported.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def safe_yaml(call: ast.Call) -> bool:
        loader = keyword(call, "Loader") or (call.args[1] if len(call.args) > 1 else None)
        return loader is not None and full_name(loader) in SAFE_LOADERS

    def off(name: str) -> Callable[[ast.Call], bool]:
        return lambda call: keyword(call, name) is None or is_constant(keyword(call, name), False)

    def safe_torch(call: ast.Call) -> bool:
        return is_constant(keyword(call, "weights_only"), True)

    # What is unsafe unless called in one way; to hand such a function on uncalled is unsafe too.
    conditional: dict[str, Callable[[ast.Call], bool]] = {
        "torch.load": safe_torch,
        "torch.serialization.load": safe_torch,
        "yaml.load": safe_yaml,
        "yaml.load_all": safe_yaml,
        "numpy.load": off("allow_pickle"),
        **{f"subprocess.{name}": off("shell") for name in ("run", "call", "check_call", "check_output", "Popen")},
    }
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}

    def unsafe(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in names if name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = full_name(node)
            owner, _, last = name.rpartition(".")
            hidden = isinstance(node, ast.Name) and name in own
            if (
                (name.removeprefix("builtins.") in BUILTINS and not hidden)
                or name in NAMES
                or (last == "from_string" and (owner.endswith("Tree") or owner in {"cls", "self"}))
                or (name in conditional and not (id(node) in calls and conditional[name](calls[id(node)])))
            ):
                yield name

    return sorted(f"{node.lineno}: {what}" for node in ast.walk(tree) for what in unsafe(node))


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_unsafe_calls(folder: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{what}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for what in findings(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("folder", ["kdzero_gp", "primitives"])
def test_there_is_something_to_check(folder: str) -> None:
    assert list((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize(
    "source",
    [
        "eval('1')",
        "exec('x = 1')",
        "compile('1', 'f', 'eval')",
        "import builtins; builtins.eval('1')",
        "__import__('pickle')",
        "toolbox.register('evaluate', eval)",
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import dill",
        "import cloudpickle",
        "from cloudpickle import dumps",
        "import shelve",
        "import marshal",
        "import joblib",
        "from joblib.numpy_pickle import load",
        "def late():\n    import pickle",
        "import torch; torch.load('f')",
        "import torch; torch.load('f', weights_only=False)",
        "import torch; torch.load('f', weights_only=flag)",
        "import torch as t; t.load('f')",
        "from torch import load; load('f')",
        "import functools, torch; functools.partial(torch.load, weights_only=True)",
        "import yaml; yaml.load(f)",
        "import yaml; yaml.load(f, yaml.Loader)",
        "import yaml; yaml.load(f, Loader=yaml.FullLoader)",
        "import yaml; yaml.unsafe_load(f)",
        "from deap import gp; gp.compile(tree, pset)",
        "import deap.gp; deap.gp.compile(tree, pset)",
        "from deap.gp import compile; compile(tree, pset)",
        "from deap import gp; toolbox.register('compile', gp.compile, pset=pset)",
        "from deap import gp; gp.PrimitiveTree.from_string(text, pset)",
        "from deap.gp import PrimitiveTree; PrimitiveTree.from_string(text, pset)",
        "import numpy as np; np.load('f', allow_pickle=True)",
        "import numpy; numpy.load('f', allow_pickle=flag)",
        "import subprocess; subprocess.run('ls', shell=True)",
        "from subprocess import Popen; Popen('ls', shell=True)",
        "import os; os.system('ls')",
        "from os import system as s; s('ls')",
        "import os; os.popen('ls')",
    ],
)
def test_unsafe_source_is_found(source: str) -> None:
    assert findings(source)


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "import re; re.compile('a')",
        "import torch; torch.compile(model)",
        "'eval(1) in a text'  # exec(2) in a comment",
        "from .distiller import compile; compile(tree)",
        "def compile(tree): ...\ncompile(tree)",
        "import ast; ast.literal_eval('1')",
        "import torch; torch.load('f', map_location='cpu', weights_only=True)",
        "import yaml; yaml.safe_load(f)",
        "import yaml; yaml.load(f, Loader=yaml.SafeLoader)",
        "import yaml; yaml.load(f, yaml.CSafeLoader)",
        "import numpy as np; np.load('f')",
        "import numpy as np; np.load('f', allow_pickle=False)",
        "import subprocess; subprocess.run(['ls'], check=True)",
        "environment.from_string(page)",
        "import json; json.load(f)",
    ],
)
def test_safe_source_is_left_alone(source: str) -> None:
    assert findings(source) == []
