"""Formulas: what they say, and that matplotlib can set them."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import pytest

from kdzero_gp.drawing.formula import formula_svg
from kdzero_gp.drawing.latex import formula_lines, latex, number
from kdzero_gp.grammar.generate import random_tree
from kdzero_gp.grammar.registry import default_registry
from kdzero_gp.grammar.tree import Tree

Read = Callable[[str], Tree]


def test_hintons_distillation(read: Read) -> None:
    assert formula_lines(read("weight(1, kl(logits, 4))")) == [
        r"\mathcal{L} = 1\cdot\mathbb{E}\left[\mathrm{kl}_{\tau=4}(z^{s}, z^{t})\right]"
    ]


def test_a_chain_of_transforms_is_defined_once(read: Read) -> None:
    tree = read("add(weight(1, l1(norm_n(satt(stage2)))), weight(5, w_entropy(l2(norm_n(satt(stage2))))))")
    assert formula_lines(tree, [2.0, 1.5e-7]) == [
        r"\mathcal{L} = 1\cdot 2\cdot\mathbb{E}\left[\mathrm{l1}(x_{1}^{s}, x_{1}^{t})\right]"
        r" + 5\cdot 1.5\times 10^{-7}\cdot\mathbb{E}\left[w_{\mathrm{entropy}}\cdot "
        r"\mathrm{l2}(x_{1}^{s}, x_{1}^{t})\right]",
        r"x_{1} = \mathrm{norm\_n}(\mathrm{satt}(F_{2}))",
    ]


def test_a_transform_of_one_side_says_so(read: Read) -> None:
    assert r"\mathrm{only\_teacher}^{t}(F_{1})" in formula_lines(read("weight(1, l1(only_teacher(stage1)))"))[1]


def test_latex_aligns_every_line_once_and_explains_the_operations(read: Read) -> None:
    lines = latex(read("weight(1, w_entropy(l1(satt(pool))))")).splitlines()
    assert lines[0] == r"\begin{aligned}"
    assert lines[-1] == r"\end{aligned}"
    assert all(line.count("&") == 1 for line in lines[1:-1])
    assert any(r"\mathrm{satt} &: \tfrac12" in line for line in lines)
    assert len(latex(read("weight(1, l1(pool))"), legend=False).splitlines()) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [(4.0, "4"), (0.0032, "0.0032"), (1234.5, "1230"), (123456.0, r"1.23\times 10^{5}"), (2e-9, r"2\times 10^{-9}")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_matplotlib_sets_every_operation_of_the_project() -> None:
    failed = [name for name, o in default_registry().items() if o.formula and formula_svg([o.formula]) is None]
    assert not failed


def test_matplotlib_sets_every_random_distiller() -> None:
    for seed in range(15):
        tree = random_tree(seed)
        text = formula_svg(formula_lines(tree, [10.0**-seed] * str(tree).count("weight(")))
        assert text is not None
        ElementTree.fromstring(text)


def test_what_mathtext_cannot_read_gives_none() -> None:
    assert formula_svg([r"\begin{cases}1\end{cases}"]) is None
    assert formula_svg(["{"]) is None


def test_latex_that_mathtext_spells_differently() -> None:
    for text in (r"\tfrac12", r"\lVert x\rVert_{2}", r"\big( x \big)", r"a\le b\ge c\ne d", "x$y"):
        assert formula_svg([text]) is not None, text


def test_a_formula_is_the_same_every_time_and_its_label_is_escaped() -> None:
    once = formula_svg(["x^2", r"\frac{a}{b}"], label='"><script>')
    assert once == formula_svg(["x^2", r"\frac{a}{b}"], label='"><script>')
    assert once is not None
    assert ElementTree.fromstring(once).get("aria-label") == '"><script>'
