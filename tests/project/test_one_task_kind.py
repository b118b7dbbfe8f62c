"""What belongs to classification stands with it: nothing else names class scores, arg-max, cross-entropy or classes.

Searches, trainings, stores and pages ask the kind of task (`kdzero_gp.tasks.kind`). A place that may name them all the
same is listed here with its reason.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = {"argmax", "cross_entropy", "num_classes"}
SCORES = re.compile(r"\blogits\b")

ALLOWED = {
    "tasks/classification/": "the kind itself",
    "tasks/class_scores.py": "what the kinds with class scores have in common",
    "grammar/": "the language has the type Logits and the name of its tap",
    "drawing/": "how that tap is drawn",
    "data/": "data sets say how many classes they have and check the labels",
    "models/": "networks are built for a number of classes",
    "tasks/teacher/pretrain.py": "the name and the header of a kept teacher tell its number of classes",
    "taps/find.py": "names the taps of networks that end in class scores",
    "taps/read.py": "the message that tells how a tap of class scores is set by hand",
    "taps/scores.py": "class scores that the user sets by hand",
    "taps/training.py": "the message that tells how a tap of class scores is set by hand",
    "methods/": "hand-designed methods are trees over the taps by name",
    "export/module_runtime.py": "the text of a stand-alone module, which imports nothing of ours",
    "distiller/align.py": "the message that class scores of other classes cannot be bridged",
    "distiller/distiller.py": "`calibrate` without a task loss scales to cross-entropy, as scripts call it",
    "loops/distillation.py": "the attribute `logits`, which training scripts read",
    "plot/correlation.py": "a figure of classes",
}
"""By the beginning of a path below the package."""


def findings(source: str) -> Iterator[str]:
    """Every use of a name, and every text that is no docstring, with its line."""
    tree = ast.parse(source)
    texts = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)) | ast.arg(arg=name):
                if name in NAMES or name == "logits":
                    yield f"{line}: {name}"
            case ast.Constant(value=str(text)) if id(node) not in texts:
                if SCORES.search(text):
                    yield f"{line}: {text!r}"


def test_only_what_is_about_class_scores_names_them() -> None:
    found = []
    for file in sorted((ROOT / "kdzero_gp").rglob("*.py")):
        path = file.relative_to(ROOT / "kdzero_gp").as_posix()
        if not path.startswith(tuple(ALLOWED)):
            found += [f"{path}:{line}" for line in findings(file.read_text(encoding="utf-8"))]
    assert found == []


def test_every_exception_is_needed() -> None:
    unneeded = set(ALLOWED)
    for place in ALLOWED:
        root = ROOT / "kdzero_gp" / place
        for file in [root] if root.is_file() else root.rglob("*.py"):
            if any(findings(file.read_text(encoding="utf-8"))):
                unneeded.discard(place)
    assert unneeded == set()


def test_a_use_is_found_and_a_docstring_is_none() -> None:
    source = '"""The logits."""\nx = taps["logits"].argmax(1)\nf(num_classes=3)\n'
    assert sorted(findings(source)) == ["2: 'logits'", "2: argmax", "3: num_classes"]
    assert not list(findings('"""logits"""\ny = scores.softmax(1)\n'))


def test_no_file_but_the_language_tells_taps_by_their_names() -> None:
    telling = re.compile(r"""startswith\(\s*["']stage|["']pool["']|["']stage["']""")
    allowed = (
        "grammar/",
        "drawing/",
        "methods/",
        "taps/anatomy.py",
        "taps/find.py",
        "taps/read.py",
        "export/module_runtime.py",
    )
    found = []
    for file in sorted((ROOT / "kdzero_gp").rglob("*.py")):
        path = file.relative_to(ROOT / "kdzero_gp").as_posix()
        if not path.startswith(allowed) and path not in ("store/history.py", "store/record.py", "store/rows.py"):
            found += [path] if telling.search(file.read_text(encoding="utf-8")) else []
    assert found == []
