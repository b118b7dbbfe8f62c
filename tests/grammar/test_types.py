"""Kinds of constants: one declared in this file alone is drawn from, parsed, shown and written as LaTeX."""

import math
from collections.abc import Iterator

import pytest
from torch import Tensor

from kdzero_gp import Constant, Tau, Value, Vector, distance, parse
from kdzero_gp.drawing.diagram import gv
from kdzero_gp.drawing.latex import formula_lines
from kdzero_gp.drawing.show import show
from kdzero_gp.errors import ParseError, PrimitiveError
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.registry import Registry, active_registry
from kdzero_gp.grammar.types import CONSTANTS

TEXT = "weight(2, hinge(pool, 0.25))"


@pytest.fixture
def registry() -> Iterator[Registry]:
    """With a distance that takes a constant of a kind of its own."""
    before = dict(CONSTANTS)
    with active_registry().copy().active() as copied:

        class Margin(Constant):
            grid = (0.1, 0.5)
            limits = (0, 9)
            sign = "μ"
            plain_sign = "m"
            latex = r"\mu"

        @distance(Vector, constants=(Margin,))
        def hinge(student: Tensor, teacher: Tensor, margin: float) -> Tensor:
            return (student - teacher).abs().sub(margin).clamp_min(0).mean(1) + (student - teacher).square().mean(1)

        yield copied
    CONSTANTS.clear()
    CONSTANTS.update(before)


@pytest.mark.usefixtures("registry")
def test_it_is_parsed_shown_and_written_with_its_sign() -> None:
    tree = parse(TEXT)
    assert str(tree) == TEXT
    assert "hinge μ=0.25" in show(tree)
    assert "hinge m=0.25" in show(tree, ascii_only=True)
    assert formula_lines(tree)[0].endswith(r"\mathrm{hinge}_{\mu=0.25}(f^{s}, f^{t})\right]")
    source = gv(tree)
    assert "μ = 0.25" in source
    assert "w = 2" in source


@pytest.mark.usefixtures("registry")
def test_a_wrong_one_is_told_what_could_stand_there() -> None:
    with pytest.raises(ParseError, match=r"a Margin: a positive number such as 0\.5"):
        parse("weight(2, hinge(pool, stage1))")


@pytest.mark.usefixtures("registry")
def test_text_keeps_its_limits() -> None:
    assert parse("weight(2, hinge(pool, 9))").root.children[1].children[1].value == 9
    with pytest.raises(ParseError, match="a Margin: a number from 0 to 9"):
        parse("weight(2, hinge(pool, 9.5))")


def test_random_trees_draw_from_its_grid(registry: Registry) -> None:
    operations = {name: registry[name] for name in ("weight", "hinge")}
    grammar = Grammar(operations, {"pool": Vector})
    values = {random_tree(seed, grammar=grammar).root.children[1].children[1].value for seed in range(40)}
    assert values == {0.1, 0.5}


@pytest.mark.parametrize("grid", [(), (1.0, 0.5), (0.0, 1.0), (1.0, 1.0), (1.0, math.inf)])
def test_a_grid_is_of_positive_numbers_in_order(grid: tuple[float, ...]) -> None:
    with pytest.raises(PrimitiveError, match="needs one of positive numbers in ascending order"):
        type("Bad", (Constant,), {"grid": grid})


def test_the_two_that_there_are() -> None:
    assert list(CONSTANTS) == [Value, Tau]
    assert show(parse("weight(1, kl(logits, 4))"), ascii_only=True).splitlines()[1].startswith("`- kl tau=4")


def test_another_type_is_no_constant() -> None:
    with pytest.raises(PrimitiveError, match="but constants are of type Value, Tau or of a subclass of Constant"):
        distance(Vector, constants=(Vector,), name="odd")(lambda s, t, v: (s - t).abs().mean(1))
