"""best.py: a file of its own that gives the package's numbers."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kdzero_gp import Distiller, Knowledge, Map, parse, random_tree, transform
from kdzero_gp.errors import ConfigError, KdzeroError, PrimitiveError
from kdzero_gp.export.module import standalone_source, write_standalone
from kdzero_gp.grammar.grammar import Grammar, default_grammar, usual_taps
from kdzero_gp.grammar.registry import Registry, default_registry
from tests.distiller.slow_twin import knowledge, targets

Case = tuple[Distiller, Knowledge, Knowledge]


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A copy of the default registry, active for one test."""
    with default_registry().copy().active() as copy:
        yield copy


def run_apart(folder: Path, cases: dict[str, Case]) -> dict[str, Any]:
    """Losses, gradients and state names that the generated files give in a process without this package."""
    inputs = {}
    for number, (name, (distiller, student, teacher)) in enumerate(cases.items()):
        write_standalone(distiller, folder / f"{name}.py")
        taps = [{tap: x.detach() for tap, x in k.items()} for k in (student, teacher)]
        inputs[name] = (*taps, targets(), number % 2 == 0)
    torch.save(inputs, folder / "inputs.pt")
    script = Path(__file__).with_name("standalone_process.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(folder)], cwd=folder, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results: dict[str, Any] = torch.load(folder / "results.pt", weights_only=True)
    return results


def assert_same(cases: dict[str, Case], results: dict[str, Any]) -> None:
    for name, (distiller, student, teacher) in cases.items():
        losses, gradients, state = results[name]
        student = student.map(lambda x: x.detach().requires_grad_(True))
        for actual in losses:
            loss = distiller(student, teacher, targets())
            assert abs(actual - loss) <= 1e-6 * max(1e-6, abs(loss.item())), f"{distiller.tree}: {actual} != {loss}"
        if loss.requires_grad:
            inputs = {**student, **dict(distiller.named_parameters())}
            wanted = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True, materialize_grads=True)
            assert gradients.keys() == inputs.keys()
            for tap, expected in zip(inputs, wanted, strict=True):
                # gradients of half-precision taps are themselves rounded
                tolerance = 1e-6 if expected.dtype is torch.float32 else 2e-3
                error = (gradients[tap] - expected).norm().item()
                assert error <= tolerance * max(1e-6, expected.norm().item()), f"{tap} of {distiller.tree}"
        assert [n for n in state if n.startswith("aligners")] == [
            n for n in distiller.state_dict() if n.startswith("aligners")
        ]


def pair(seed: int, mismatch: bool) -> tuple[Knowledge, Knowledge]:
    student = knowledge(seed)
    if not mismatch:
        return student, knowledge(seed + 1)
    return student, knowledge(seed + 1, channels=(5, 4, 8), sizes=(6, 8, 4), width=9)


def test_random_trees_give_the_same_numbers(tmp_path: Path) -> None:
    cases: dict[str, Case] = {}
    for seed in range(220):
        tree = random_tree(seed, grammar=default_grammar(extended=bool(seed % 2)))
        terms = len(Distiller(tree).terms_in_order)
        calibration = [0.1 * (i + 1) / 3 for i in range(terms)]
        distiller = Distiller(tree, calibration=calibration, seed=seed)
        cases[str(seed)] = (distiller, *pair(seed, mismatch=seed % 3 > 0))
    assert_same(cases, run_apart(tmp_path, cases))


FORMULAS = [
    "weight(1, kl(logits, 4))",
    "weight(1, w_focal(w_sim(kl(logits, 4))))",
    "add(weight(1, l2(mm(satt(stage1)))), weight(1, l2(satt(stage1))))",  # one tap aligned and plain
    "add(weight(1, l2(mask(stage1))), weight(5, l1(drop(mask(stage1)))))",
    "add(weight(1, l2(mask(stage1))), weight(5, l1(mm(mask(stage1)))))",
    "weight(1, partial_l2(margin_relu(stage1)))",
    "weight(1, l2(fsp(stage1, stage2)))",
    "add(weight(1, huber(pow2(bmm(stage1)), 0.5)), weight(1, l2(pow4(stage1))))",  # both files have a LARGEST
]


def test_chosen_formulas_and_half_precision(tmp_path: Path) -> None:
    cases: dict[str, Case] = {}
    for i, text in enumerate(FORMULAS):
        for mismatch in (False, True):
            cases[f"f{i}{mismatch}"] = (Distiller(text), *pair(i, mismatch))
        half = [k.map(lambda x: x.half()) for k in pair(i, True)]
        cases[f"f{i}half"] = (Distiller(text), *half)
    results = run_apart(tmp_path, cases)
    assert_same(cases, results)


OWN = '''
import math
import os.path as p
import torch.nn as F  # not what the built-in files call F
from functools import partial
from torch import Tensor, nn
from kdzero_gp import Map, PerSample, Vector, distance, transform, weight
import kdzero_gp as kd
from my_neighbour import SHIFT, shifted

LARGEST = 2.5
TABLE: dict[str, float] = {name: len(name) / LARGEST for name in ("a", "bb")}  # a comment
TABLE["c"] = 9.0


def _mean(x: Tensor) -> Tensor:
    return shifted(x).flatten(1).mean(1) if p.sep else x


def torch_like(x: Tensor, largest: float = LARGEST * 2) -> Tensor:
    LARGER = [largest for LARGER in range(3)][0]
    return x / LARGER


@kd.transform(Map, Vector, name="max")
def biggest(x: Tensor) -> Tensor:
    """A primitive called as a builtin is."""
    return partial(torch_like)(x).clamp(max=LARGEST) + sum(TABLE[k] for k in ("a", "bb")) + F.ReLU()(x)


@distance(Vector, name="term1")
def own_distance(student: Tensor, teacher: Tensor) -> Tensor:
    return _mean((student - teacher).abs()) * max(SHIFT, math.pi)


class Mixer(nn.Module):
    """A learned map."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(shape[1], 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * LARGEST


@transform(Map, learned=True)
def x1(shape: tuple[int, ...]) -> nn.Module:
    return Mixer(shape)


@transform(Map, learned=True, student_only=True)
def mixed(shape: tuple[int, ...]) -> nn.Module:
    module = nn.Conv2d(shape[1], shape[1], 1)
    return module


@weight(labels=True)
def w_own(student: Tensor, teacher: Tensor, *, targets: Tensor) -> Tensor:
    return targets.to(student.dtype) + 0.5


@distance(Map, labels=True)
def labelled(student: Tensor, teacher: Tensor, *, targets: Tensor) -> Tensor:
    return (student - teacher).square().flatten(1).mean(1) * (1 + targets)
'''
NEIGHBOUR = """
from torch import Tensor
SHIFT = LARGEST = 0.5
def _mean(x: Tensor) -> Tensor:
    return x + LARGEST
def shifted(x: Tensor) -> Tensor:
    return _mean(x)
"""


def test_primitives_of_ones_own(registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "own_ops.py").write_text(OWN)
    (tmp_path / "own" / "my_neighbour.py").write_text(NEIGHBOUR)
    monkeypatch.syspath_prepend(tmp_path / "own")
    registry.load_file(tmp_path / "own" / "own_ops.py")
    texts = [
        "weight(1, w_own(term1(max(pool))))",
        "weight(1, l2(pow2(max(stage1))))",
        "weight(1, labelled(x1(stage1)))",
        "add(weight(1, l2(mixed(stage1))), weight(5, l2(x1(satt(mixed(stage1))))))",
        "add(weight(1, l2(mm(x1(stage2)))), add(weight(1, l2(x1(stage2))), weight(1, l1(mixed(x1(stage2))))))",
    ]
    cases: dict[str, Case] = {}
    for i, text in enumerate(texts):
        for mismatch in (False, True):
            cases[f"o{i}{mismatch}"] = (Distiller(text, seed=3), *pair(i, mismatch))
    assert_same(cases, run_apart(tmp_path, cases))


def test_it_is_readable(tmp_path: Path) -> None:
    text = "add(weight(5, w_entropy(l1(norm_n(catt(stage2))))), weight(1, kl(logits, 4)))"
    source = standalone_source(Distiller(text, calibration=[0.25, 1 / 3]), name="Best")
    tree = ast.parse(source)
    roots = {
        (n.names[0].name if isinstance(n, ast.Import) else n.module or "").partition(".")[0]
        for n in ast.walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom)
    }
    assert roots <= {"torch", *sys.stdlib_module_names}
    header = source[: source.index("from __future__")]
    assert all(line.startswith("#") for line in header.splitlines())
    for shown in (text, r"\mathrm{softmax}", "torch " + str(torch.__version__), "kdzero_gp", "calibration"):
        assert shown in header
    assert repr(1 / 3) in source, "the calibration must stand in full"
    assert "class Best(" in source
    assert "# from primitives/guards.py" in source
    assert str(tmp_path) not in source
    assert os.path.expanduser("~") not in source
    kl = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "kl")
    assert "Hinton" in (ast.get_docstring(kl) or "")
    assert not kl.decorator_list
    assert standalone_source(Distiller(text, calibration=[0.25, 1 / 3]), name="Best") == source


@pytest.mark.parametrize("name", ["", "1st", "class", "a b", "Tensor", "torch", "x\nimport os", "Ünder"])
def test_a_bad_class_name(name: str) -> None:
    with pytest.raises(ConfigError, match="class name"):
        standalone_source(Distiller("weight(1, l2(stage1))"), name=name)


def refused(text: str, match: str) -> None:
    with pytest.raises(PrimitiveError, match=match):
        standalone_source(Distiller(text))


def test_primitives_without_source_are_refused(registry: Registry) -> None:
    space: dict[str, Any] = {"transform": transform, "Map": Map}
    exec("@transform(Map)\ndef typed(x):\n    return x * 2\n", space)
    refused("weight(1, l2(typed(stage1)))", "`typed` cannot be written .* source of `typed` is not available")
    transform(Map, name="short")(lambda x: x * 2)
    refused("weight(1, l2(short(stage1)))", "no `def` or `class`")
    factor = 3.0

    @transform(Map)
    def closed(x: torch.Tensor) -> torch.Tensor:
        return x * factor

    refused("weight(1, l2(closed(stage1)))", "uses factor of the function it is defined in")
    transform(Map, name="builtin")(torch.tanh)
    refused("weight(1, l2(builtin(stage1)))", "`builtin` cannot be written")


def test_unwritable(tmp_path: Path) -> None:
    with pytest.raises(KdzeroError, match="cannot write"):
        write_standalone(Distiller("weight(1, l2(stage1))"), tmp_path / "no" / "best.py")


def test_aligner_weights_travel(tmp_path: Path) -> None:
    student, teacher = pair(0, mismatch=True)
    distiller = Distiller("weight(1, l2(stage1))", seed=4)
    distiller(student, teacher)
    space: dict[str, Any] = {"__name__": "best"}
    exec(standalone_source(distiller), space)
    shapes = [{tap: x.shape[1:] for tap, x in k.items()} for k in (student, teacher)]
    alone = space["Distiller"](*shapes)
    for name, value in alone.state_dict().items():
        assert torch.equal(value, distiller.state_dict()[name])
    with torch.no_grad():
        distiller.aligners["stage1"].weight.mul_(2)
    alone.load_state_dict(distiller.state_dict(), strict=False)
    torch.testing.assert_close(alone(student, teacher), distiller(student, teacher))
    with pytest.raises(space["TapError"], match="was made for"):
        alone(*reversed(pair(0, mismatch=True)))
    with pytest.raises(space["TapError"], match="has no tap `stage1`"):
        space["Distiller"]({"pool": (3,)}, shapes[1])


def test_the_teacher_gets_no_gradient() -> None:
    space: dict[str, Any] = {"__name__": "best"}
    exec(standalone_source(Distiller("weight(1, w_sim(kl(logits, 4)))")), space)
    student, teacher = knowledge(0, grad=True), knowledge(1, grad=True)
    space["Distiller"]()(student, teacher, targets()).backward()
    assert teacher["logits"].grad is None
    assert student["logits"].grad is not None


def test_every_operation_can_be_written() -> None:
    taps = usual_taps(("stage1", "stage2", "stage3"))
    grammars = [Grammar(default_registry(), taps, extended=True, exclusive=exclusive) for exclusive in (True, False)]
    left = {o.name for o in default_registry().values() if o.kind != "structure" and not o.identity}
    for seed in range(5000):
        tree = random_tree(seed, grammar=grammars[seed % 2])
        names = {n.operation.name for n in tree.canonical().root.walk() if n.operation} & left
        if names:
            ast.parse(standalone_source(Distiller(parse(str(tree)))))
            left -= names
        if not left:
            return
    pytest.fail(f"never drawn: {left}")
