"""Declaring operations: good ones work at once, broken ones are refused with their place and fault."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp import Distiller, Knowledge, Loss, Map, PerSample, Rows, Tau, Value, Vector, parse
from kdzero_gp.errors import ParseError, PrimitiveError
from kdzero_gp.grammar.decorators import distance, transform, weight
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.grammar.registry import Registry, active_registry, default_registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    """A copy of the default registry, active for one test."""
    with default_registry().copy().active() as copy:
        yield copy


REFUSED: dict[str, tuple[Callable[..., Any], Callable[[Any], Any], str]] = {
    "wrong rank": (transform(Map), lambda x: x.mean(1), r"shape \(4, 4, 4\), expected \(N, C, H, W\)"),
    "wrong batch": (transform(Vector), lambda x: x[:2], "expected .* N = 4"),
    "no gradient": (transform(Map), lambda x: x.detach() * 2, "no gradient"),
    "NaN at negatives": (transform(Vector), torch.sqrt, "on (ordinary|negative) input"),
    "infinite gradient": (transform(Vector), lambda x: x.abs().sqrt() + x, "gradient is not finite"),
    "infinite at large": (transform(Vector), lambda x: torch.exp(x), r"large \(1e4\) input: its value is not finite"),
    "raises": (transform(Map), lambda x: x.nonsense(), "raised AttributeError"),
    "no tensor": (transform(Map), lambda x: 3.0, "gave a float"),
    "whole numbers": (transform(Map), lambda x: (x > 0).long(), "floating-point"),
    "wrong output type": (transform(Map, to=Rows), lambda x: x, r"expected \(N, R, D\)"),
    "too many arguments": (transform(Map), lambda x, y: x, "raised TypeError"),
    "scalar distance": (distance(Map), lambda s, t: (s - t).square().mean(), r"expected \(N,\)"),
    "distance without gradient": (distance(Map), lambda s, t: (t * t).flatten(1).mean(1), "no gradient"),
    "negative weight": (weight, lambda s, t: -s[:, 0].abs() - 1, "must be ≥ 0"),
    "weight of wrong shape": (weight, lambda s, t: s, r"expected \(N,\)"),
    "learned without module": (transform(Map, learned=True), lambda shape: torch.relu, "factory of nn.Module"),
}


@pytest.mark.parametrize("fault", list(REFUSED))
def test_broken_operations_are_refused(registry: Registry, fault: str) -> None:
    declare, body, message = REFUSED[fault]

    def mine(*arguments: Any) -> Any:
        return body(*arguments)

    before = dict(registry)
    with pytest.raises(PrimitiveError, match=message) as caught:
        declare(mine)
    assert "`mine` was refused" in str(caught.value)
    assert "test_registry.py:" in str(caught.value), "the place of the declaration is missing"
    assert dict(registry) == before


@pytest.mark.parametrize("name", ["stage1", "pool", "logits", "Mine", "1st", "my-op", "über", "a b"])
def test_names_that_cannot_be_used(registry: Registry, name: str) -> None:
    with pytest.raises(PrimitiveError, match="cannot name a primitive"):
        transform(Map, name=name)(lambda x: x * 2)


@pytest.mark.parametrize("name", ["satt", "l2", "w_conf", "weight", "add"])
def test_a_taken_name_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(PrimitiveError, match=f"`{name}` is taken by"):
        transform(Map, name=name)(lambda x: x * 2)


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: transform(Map, constants=(float,)), "constants are of type Value, Tau or of a subclass of Constant"),
        (lambda: transform(Map, constants=(Map,)), "constants are of type Value, Tau or of a subclass of Constant"),
        (lambda: transform(PerSample), "inputs are Map, Rows, Vector or Logits"),
        (lambda: transform(Loss), "inputs are Map"),
        (lambda: transform(Value), "inputs are Map"),
        (lambda: transform("Map"), "inputs are Map"),
        (lambda: transform(), "names no input type"),
        (lambda: distance(), "names no input type"),
        (lambda: transform(Map, teacher_only=True, student_only=True), "keep at most one"),
    ],
)
def test_bad_declarations(registry: Registry, declare: Callable[[], Any], message: str) -> None:
    with pytest.raises(PrimitiveError, match=message):
        declare()(lambda x: x * 2)


def test_a_new_operation_works_at_once(registry: Registry) -> None:
    @transform(Map, Vector, constants=(Value,))
    def times(x: Tensor, factor: float) -> Tensor:
        return x * factor

    @distance(Vector, constants=(Tau,))
    def soft(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
        return ((student - teacher) / tau).square().sum(1)

    tree = parse("weight(2, soft(times(pool, 3), 4))")
    assert str(tree) == "weight(2, soft(times(pool, 3), 4))"
    s, t = torch.randn(5, 3), torch.randn(5, 3)
    expected = 2 * ((3 * s - 3 * t) / 4).square().sum(1).mean()
    torch.testing.assert_close(Distiller(tree)(Knowledge(pool=s), Knowledge(pool=t)), expected)
    assert "times" in default_grammar().operations
    assert parse("weight(1, l2(times(logits, 2)))")[3].ret is Vector


def test_a_cell_that_is_run_again_replaces_its_operation(registry: Registry) -> None:
    for factor in (2, 3):

        def again(x: Tensor, factor: int = factor) -> Tensor:
            return x * factor

        transform(Map)(again)
    x = torch.ones(4, 1, 2, 2)
    assert registry["again"].function(x).mean() == 3


def test_half_precision_is_widened_and_doubles_stay(registry: Registry) -> None:
    @transform(Vector)
    def mine(x: Tensor) -> Tensor:
        return x * 2

    for dtype, inside in ((torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64,) * 2):
        assert mine(torch.ones(2, 2, dtype=dtype)).dtype is inside


def test_learned_operations_are_modules(registry: Registry) -> None:
    @transform(Map, learned=True)
    def mixed(shape: tuple[int, ...]) -> nn.Module:
        return nn.Conv2d(shape[1], 2, 1)

    distiller = Distiller("weight(1, l2(mixed(stage1)))")
    distiller(Knowledge(stage1=torch.randn(3, 4, 5, 5)), Knowledge(stage1=torch.randn(3, 6, 5, 5)))
    assert sum(p.numel() for p in distiller.parameters()) == (4 * 2 + 2) + (6 * 2 + 2)


def test_active_registries_are_isolated() -> None:
    outer = default_registry()
    copy = outer.copy()
    with copy.active():
        assert active_registry() is copy
        transform(Map, name="only_here")(lambda x: x * 2)
        tree = parse("weight(1, l2(only_here(stage1)))")
        with outer.copy().active(), pytest.raises(ParseError, match="only_here"):
            parse(str(tree))
        assert "only_here" in default_grammar().operations
    assert active_registry() is outer
    assert "only_here" not in outer
    assert "only_here" not in default_grammar().operations
    with pytest.raises(ParseError, match="only_here"):
        parse("weight(1, l2(only_here(stage1)))")


def test_the_registry_leaves_when_the_block_fails() -> None:
    with pytest.raises(RuntimeError, match="stop"), default_registry().copy().active():
        raise RuntimeError("stop")
    assert active_registry() is default_registry()


GOOD = """
import torch
from torch import Tensor
from kdzero_gp import Map, distance, transform

FACTOR = 3.0

@transform(Map, formula="3x")
def triple(x: Tensor) -> Tensor:
    "Three times x."
    return x * FACTOR

@distance(Map)
def worst(student: Tensor, teacher: Tensor) -> Tensor:
    return (student - teacher).abs().flatten(1).amax(1)
"""


def test_a_file_of_ones_own(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "my_ops.py"
    path.write_text(GOOD)
    registry.load_file(path)
    assert registry["triple"].doc == "Three times x."
    assert registry["triple"].source == f"{path}:8"
    s, t = torch.randn(3, 2, 2, 2), torch.randn(3, 2, 2, 2)
    loss = Distiller("weight(1, worst(triple(stage1)))")(Knowledge(stage1=s), Knowledge(stage1=t))
    torch.testing.assert_close(loss, (3 * (s - t)).abs().flatten(1).amax(1).mean())
    registry.load_file(path)  # twice is once
    assert "triple" not in default_registry()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("this is no python", "SyntaxError"),
        ("import no_such_module_at_all", "ModuleNotFoundError"),
        ("1 / 0", "ZeroDivisionError"),
        (GOOD + "\n@transform(Map)\ndef broken(x):\n    return x.mean()\n", "`broken` was refused"),
        (GOOD + "\n@transform(Map)\ndef satt(x):\n    return x * 2\n", "`satt` is taken"),
        (GOOD + "\nraise ValueError('late')\n", "late"),
        ("\x00", "ValueError|SyntaxError"),
    ],
)
def test_broken_files_leave_the_registry_as_it_was(registry: Registry, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "broken_ops.py"
    path.write_text(text)
    before = dict(registry)
    with pytest.raises(PrimitiveError, match=message) as caught:
        registry.load_file(path)
    assert "broken_ops.py" in str(caught.value)
    assert dict(registry) == before


def test_what_is_no_python_file(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "ops.txt").write_text(GOOD)
    for path in (tmp_path / "ops.txt", tmp_path / "missing.py", tmp_path):
        with pytest.raises(PrimitiveError, match="is not a Python file"):
            registry.load_file(path)


def test_every_builtin_is_documented() -> None:
    for operation in default_registry().values():
        assert operation.doc, operation.name
        assert operation.formula, operation.name
        assert operation.source, operation.name
