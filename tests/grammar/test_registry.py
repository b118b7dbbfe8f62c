"""Declaring operations: good ones work at once, broken ones are refused with their place and fault."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kdzero_gp import Distiller, Knowledge, Logits, Loss, Map, PerSample, Rows, Tau, Value, Vector, parse
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
        (lambda: transform(Map, constants=(float,)), "constants are of type Value or Tau"),
        (lambda: transform(Map, constants=(Map,)), "constants are of type Value or Tau"),
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


def test_a_cell_that_was_edited_replaces_its_operation(registry: Registry) -> None:
    """A notebook gives every run of a cell a file name of its own; a `def` in it replaces the one before, as always."""
    source = "@transform(Map)\ndef cube(x):\n    return x ** {}\n"
    for cell, power in enumerate((3, 5)):
        space = {"__name__": "__main__", "transform": transform, "Map": Map}
        exec(compile(source.format(power), f"/tmp/ipykernel_77/{cell}.py", "exec"), space)
        assert registry["cube"].function(torch.tensor([2.0])) == 2.0**power
    with pytest.raises(PrimitiveError, match="`satt` is taken by primitives"):
        exec(source.format(2).replace("cube", "satt"), space)


def test_two_files_with_one_name_clash(registry: Registry, tmp_path: Path) -> None:
    for name in ("one.py", "other.py"):
        (tmp_path / name).write_text(GOOD)
    registry.load_file(tmp_path / "one.py")
    with pytest.raises(PrimitiveError, match="`triple` is taken by .*one.py:8"):
        registry.load_file(tmp_path / "other.py")


def test_a_weighting_may_name_what_it_reads(registry: Registry) -> None:
    def certain(student: Tensor, teacher: Tensor) -> Tensor:
        return teacher.softmax(1).amax(1)

    for number, declare in enumerate(
        (weight, weight(), weight(Logits), weight(Logits, Logits), weight(Logits, formula="u"), weight(PerSample))
    ):
        certain.__name__ = f"certain{number}"
        declare(certain)
        assert str(registry[f"certain{number}"].signatures[0]) == "(PerSample) -> PerSample"
    student, teacher = Knowledge(logits=torch.randn(4, 3)), Knowledge(logits=torch.randn(4, 3))
    assert Distiller("weight(1, certain2(kl(logits, 4)))")(student, teacher).isfinite()
    with pytest.raises(PrimitiveError, match=r"test_registry.py:\d+: `certain5` takes 'Map'.*@weight\(Logits\)"):
        weight(Map)(certain)


class MyScaling(nn.Module):
    """A factor for every channel."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.full((shape[1], 1, 1), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factors


@pytest.mark.parametrize("options", [{}, {"learned": True}, {"learned": True, "student_only": True}])
def test_a_class_of_modules_is_a_learned_primitive(registry: Registry, options: dict[str, bool]) -> None:
    assert transform(Map, **options)(MyScaling) is MyScaling  # type: ignore[arg-type]
    assert registry["my_scaling"].learned
    s, t = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    distiller = Distiller("weight(1, l2(my_scaling(stage1)))")
    with torch.no_grad():
        loss = distiller(Knowledge(stage1=s), Knowledge(stage1=t))
    taught = t if options.get("student_only") else 2 * t
    torch.testing.assert_close(loss, (2 * s - taught).square().mean())
    assert len(list(distiller.parameters())) == (1 if options.get("student_only") else 2)


class ByChannels(nn.Module):
    """Made from a number, which no input's shape is."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv(x)
        return result


SHARED = nn.Linear(6, 6)
FORM = r"@transform\(Map, learned=True\) above `class Mine\(nn.Module\)` with `def __init__\(self, shape\)`"


def from_outside(x: Tensor) -> Tensor:
    result: Tensor = SHARED(x)
    return result


def undeclared_factory(shape: tuple[int, ...]) -> nn.Module:
    return nn.Conv2d(shape[1], shape[1], 1)


GUESSES: dict[str, Callable[[], Any]] = {
    "an instance": lambda: transform(Map)(MyScaling((4, 3, 2, 2))),  # type: ignore[type-var]
    "an instance with learned": lambda: transform(Map, learned=True, name="x")(nn.ReLU()),  # type: ignore[type-var]
    "made from a number": lambda: transform(Map)(ByChannels),
    "a factory without learned": lambda: transform(Map)(undeclared_factory),
    "parameters from outside": lambda: transform(Vector)(from_outside),
    "a learned distance": lambda: distance(Map, learned=True)(from_outside),
    "a class as a distance": lambda: distance(Map)(MyScaling),
    "a learned weighting": lambda: weight(learned=True)(from_outside),
    "a class as a weighting": lambda: weight(Logits)(MyScaling),
    "no module": lambda: transform(Map, learned=True, name="x")(lambda x: x * 2),
    "a plain class": lambda: transform(Map)(Path),
}


@pytest.mark.parametrize("guess", GUESSES)
def test_a_guess_at_learned_primitives_is_told_the_form_that_works(registry: Registry, guess: str) -> None:
    before = dict(registry)
    with pytest.raises(PrimitiveError, match=FORM) as caught:
        GUESSES[guess]()
    if guess != "a plain class":
        assert re.search(r"test_registry.py:\d+: ", str(caught.value)), "the user's line is missing"
    assert dict(registry) == before


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: transform(from_outside), r"@transform needs the types that `from_outside` takes.*@transform\(Map\)"),
        (lambda: transform(MyScaling), r"@transform needs the types that `MyScaling` takes"),
        (lambda: distance(from_outside), r"@distance needs the types that `from_outside` takes"),
        (lambda: transform(Map, learned=True, bridges=True)(undeclared_factory), "student_only or teacher_only"),
        (lambda: transform(Map, student_only=True, bridges=True)(undeclared_factory), "must be learned"),
    ],
)
def test_a_declaration_without_its_types_names_the_line(
    registry: Registry, declare: Callable[[], Any], message: str
) -> None:
    with pytest.raises(PrimitiveError, match=message) as caught:
        declare()
    assert re.search(r"test_registry.py:\d+: ", str(caught.value))


def times_in_place(x: Tensor, *rest: Tensor) -> Tensor:
    return x.mul_(1.01)


def by_data(x: Tensor, *rest: Tensor) -> Tensor:
    x.data += 1
    return x * 1


def without_gradient(x: Tensor, *rest: Tensor) -> Tensor:
    with torch.no_grad():
        x += 1
    return x * 1


class InPlace(nn.Module):
    """A first layer that works in place."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(shape[1], shape[1], 1))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.layers(x)
        return result


@pytest.mark.parametrize(
    "declare",
    [
        *(lambda f=f: transform(Vector)(f) for f in (times_in_place, by_data, without_gradient)),
        lambda: transform(Map)(InPlace),
        lambda: distance(Vector, name="d")(lambda s, t: (s - t.clamp_(min=0)).square().mean(1)),
        lambda: weight(name="w")(lambda s, t: t.softmax(1).amax(1) + 0 * s.add_(1)[:, 0]),
    ],
)
def test_an_operation_that_works_in_place_is_refused(registry: Registry, declare: Callable[[], Any]) -> None:
    with pytest.raises(PrimitiveError, match="changes its input in place"):
        declare()


def test_an_operation_that_turns_to_working_in_place_changes_nobody_elses_numbers(registry: Registry) -> None:
    """The probe cannot know what the hundredth call does: a foreign function reads copies of what others read."""
    turned = []

    @transform(Map)
    def late(x: Tensor) -> Tensor:
        return x.data.mul_(3) * x.sign() if turned else x * 2

    @weight
    def late_weight(student: Tensor, teacher: Tensor) -> Tensor:
        return (student.data.mul_(3) if turned else student).softmax(1).amax(1)

    @distance(Map)
    def late_distance(student: Tensor, teacher: Tensor) -> Tensor:
        return (student - (teacher.mul_(3) if turned else teacher)).square().mean((1, 2, 3))

    turned.append(True)
    student = Knowledge(stage1=torch.randn(4, 2, 3, 3).requires_grad_(), logits=torch.randn(4, 3))
    teacher = Knowledge(stage1=torch.randn(4, 2, 3, 3), logits=torch.randn(4, 3))
    before = [x.detach().clone() for side in (student, teacher) for x in side.values()]
    Distiller("add(weight(1, late_weight(l2(late(stage1)))), weight(1, late_distance(stage1)))")(student, teacher)
    after = [x.detach() for side in (student, teacher) for x in side.values()]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))


def test_what_an_operation_raises_at_its_probe_is_a_refusal(registry: Registry) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    for error in (Unprintable(), SystemExit(3), GeneratorExit(), ValueError("x" * 10_000)):

        def faulty(x: Tensor, error: BaseException = error) -> Tensor:
            raise error

        with pytest.raises(PrimitiveError, match=f"`faulty` was refused.*it raised {type(error).__name__}") as caught:
            transform(Map)(faulty)
        assert len(str(caught.value)) < 1000


HELPED = """
from torch import Tensor
from kdzero_gp import Map, transform
from my_helping_module import twice

@transform(Map)
def helped(x: Tensor) -> Tensor:
    from my_other_helper import AGAIN
    return twice(x) * AGAIN
"""


def test_a_file_may_import_what_lies_beside_it(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "ops.py").write_text(HELPED)
    (tmp_path / "my_helping_module.py").write_text("def twice(x):\n    return 2 * x\n")
    (tmp_path / "my_other_helper.py").write_text("AGAIN = 5\n")
    path = list(sys.path)
    registry.load_file(tmp_path / "ops.py")
    assert registry["helped"].function(torch.ones(1)) == 10
    assert sys.path == path
    other = tmp_path / "other"
    other.mkdir()
    (other / "more_ops.py").write_text(HELPED.replace("helped", "again"))
    (other / "my_helping_module.py").write_text("def twice(x):\n    return 20 * x\n")
    with pytest.raises(PrimitiveError, match=r"more_ops.py:4: `my_helping_module` lies beside this file, but a module of"):
        registry.load_file(other / "more_ops.py")
    assert "again" not in registry


def test_a_file_that_fails_names_its_line(registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "ops.py"
    for text, line in ((GOOD + "\n\n1 / 0\n", 18), ("x = 1\ny = (\n", 2), (GOOD + "\ntransform(Map, shape=3)\n", 17)):
        path.write_text(text)
        with pytest.raises(PrimitiveError, match=rf"ops.py:{line} failed while it was loaded"):
            registry.load_file(path)
