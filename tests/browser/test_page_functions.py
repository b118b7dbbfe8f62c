"""The page's own functions where a page does not show them all: reading, comparing and setting text forms."""

import math
from pathlib import Path

import pytest

from tests.browser.browser import Browser


@pytest.fixture(autouse=True)
def opened(browser: Browser, gallery: Path) -> None:
    if not browser.driver.current_url.startswith(gallery.as_uri()):
        browser.open(gallery.as_uri())


@pytest.mark.parametrize(
    ("child", "parent", "added", "removed"),
    [
        ("weight(1, l1(pool))", "weight(1, l1(pool))", [], []),
        ("weight(2, l1(pool))", "weight(1, l1(pool))", ["2"], ["1"]),
        ("weight(1, l1(relu(pool)))", "weight(1, l1(pool))", ["relu(", ")"], []),
        ("weight(1, l1(pool))", "weight(1, l1(relu(pool)))", [], ["relu(", ")"]),
        ("weight(1, l1(pool))", "weight(1, l2(logits))", ["l1(pool)"], ["l2(logits)"]),
        (
            "add(weight(1, l1(pool)), weight(2, l1(pool)))",
            "weight(2, l1(pool))",
            ["add(weight(1, l1(pool)), ", ")"],
            [],
        ),
        ("weight(1, kl(logits, 4))", "weight(3, kl(logits, 8))", ["1", "4"], ["3", "8"]),
    ],
)
def test_difference(browser: Browser, child: str, parent: str, added: list[str], removed: list[str]) -> None:
    found = browser.run("return difference(parseTextForm(arguments[0]), parseTextForm(arguments[1]))", child, parent)
    assert [child[start:end] for start, end in found["added"]] == added
    assert [parent[start:end] for start, end in found["removed"]] == removed


@pytest.mark.parametrize("text", ["", "(", ")", "a(b", "a)b", "a b", "a(b))", ",", "(" * 30_000, "a(" * 9_000, "a, b"])
def test_what_is_no_text_form_is_none(browser: Browser, text: str) -> None:
    assert browser.run("return parseTextForm(arguments[0]) === null", text)


def test_deep_trees_neither_hang_nor_break(browser: Browser) -> None:
    deep = "l1(" * 4_000 + "pool" + ")" * 4_000
    assert browser.run("const f = formulaOf(arguments[0], [], {}); return f === null || f.tagName === 'DIV'", deep)
    assert (
        browser.run("return difference(parseTextForm(arguments[0]), parseTextForm('l2(pool)')).added.length", deep) > 0
    )


def test_a_formula_with_everything(browser: Browser) -> None:
    text = "add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(norm_n(student_only(stage2, 0.00001234))))))"
    operations = {
        "kl": {"kind": "distance", "side": "both", "inputs": ["Logits", "Tau"], "signs": ["", "τ"]},
        "l1": {"kind": "distance", "side": "both", "inputs": ["Map"]},
        "w_entropy": {"kind": "weight", "side": "both", "inputs": ["PerSample"]},
        "norm_n": {"kind": "transform", "side": "both", "inputs": ["Map"]},
        "student_only": {"kind": "transform", "side": "student", "inputs": ["Map", "Value"]},
    }
    rows = browser.run(
        "return [...formulaOf(arguments[0], [0.5, 1234567], arguments[1]).querySelectorAll('mtr')]"
        ".map((row) => row.textContent)",
        text,
        operations,
    )
    assert rows == [
        "ℒ=1·0.5·𝔼[klτ=4(zs,zt)]",
        "+5·1.23×106·𝔼[w_entropy·l1(x1s,x1t)]",
        "x1=norm_n(student_onlys(F2,1.23×10-5))",
    ]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("<0.5", [0.4, -3], [0.5, 1]),
        (">= 3", [3, 4], [2.9]),
        ("2..5", [2, 3.5, 5], [1.9, 5.1]),
        ("1e-3", [0.001], [0.01]),
        ("-2..-1", [-1.5], [1.5, 0]),
    ],
)
def test_tests_of_numbers(browser: Browser, text: str, inside: list[float], outside: list[float]) -> None:
    found = browser.run("return arguments[1].map(numberTest(arguments[0]))", text, [*inside, *outside])
    assert found == [True] * len(inside) + [False] * len(outside)


@pytest.mark.parametrize("text", ["low", "<", "1..", "1 2", "--3"])
def test_what_is_no_test_of_numbers(browser: Browser, text: str) -> None:
    assert browser.run("return numberTest(arguments[0]) === undefined", text)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 7.0), (1e-7, 2e-7), (12.0, 12.0), (0.0, 1e9)])
def test_ticks_lie_inside_and_are_round(browser: Browser, low: float, high: float) -> None:
    found = browser.run("return ticks(arguments[0], arguments[1], 5)", low, high)
    assert all(low - 1e-9 * abs(low) <= tick <= high * (1 + 1e-9) for tick in found)
    if high > low:
        assert 2 <= len(found) <= 11
        step = found[1] - found[0]
        digits = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(digits - round_step) for round_step in (1, 2, 5, 10)) < 1e-3
