"""The text form: what is printed is read back, and what cannot be read says where and why."""

import copy
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kdzero_gp import parse, random_tree
from kdzero_gp.errors import ParseError
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.grammar.parse import TOKEN
from kdzero_gp.grammar.types import Map

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60)
@given(seeds)
def test_what_is_printed_is_read_back(seed: int) -> None:
    extended = default_grammar(extended=True)
    for offset in range(40):  # 60 · 40 = 2,400 trees
        tree = random_tree(seed + offset, grammar=extended if offset % 2 else None)
        again = parse(str(tree))
        assert list(again) == list(tree)
        assert [s.ret for s in again] == [s.ret for s in tree]
        assert str(again) == str(tree)
        assert again == tree
        assert hash(again) == hash(tree)


@settings(max_examples=60)
@given(seeds, st.sampled_from([" ", "\n", "\t", "  \n ", ""]))
def test_spacing_does_not_matter(seed: int, space: str) -> None:
    tree = random_tree(seed)
    text = str(tree)
    for mark in "(),":
        text = text.replace(mark, f"{space}{mark}{space}")
    assert parse(text.replace(", ", ",")) == tree


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        ("1", "1"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("0.05", "0.05"),
        ("+2.5", "2.5"),
        (".5", "0.5"),
        ("1e-30", "1e-30"),
        ("1e300", "1e+300"),
        ("0.1234567890123456", "0.1234567890123456"),
    ],
)
def test_numbers_are_printed_without_loss(number: str, printed: str) -> None:
    tree = parse(f"weight({number}, l2(stage1))")
    assert str(tree) == f"weight({printed}, l2(stage1))"
    assert parse(str(tree))[1].value == float(number)


@settings(max_examples=200)
@given(st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(1.7976931348623157e308)
@example(1e15)
@example(1e16)
def test_every_positive_constant_survives(value: float) -> None:
    tree = parse(f"weight({value!r}, l2(stage1))")
    assert tree[1].value == value
    assert parse(str(tree))[1].value == value


@pytest.mark.parametrize(
    ("text", "position", "found", "expected"),
    [
        ("", 0, "found the end of the text", "a Loss"),
        ("   ", 3, "found the end of the text", "a Loss"),
        ("stage1", 0, "found `stage1`, which gives a Map", "a Loss"),
        ("l2(stage1)", 0, "found `l2`, which gives a PerSample", "a Loss"),
        ("4", 0, "found `4`", "`weight(…)`"),
        ("weight", 6, "found the end of the text", "`(` and the arguments of weight(Value, PerSample)"),
        ("weight(", 7, "found the end of the text", "a Value"),
        ("weight(1", 8, "found the end of the text", "argument 2 of 2"),
        ("weight(1, l2(stage1)", 20, "found the end of the text", "`)`, since weight"),
        ("weight(1, l2(stage1)))", 21, "found `)`", "the end of the text"),
        ("weight(1, l2(stage1)) x", 22, "found `x`", "the end of the text"),
        ("weight(1, l2(stage1), 2)", 20, "found `,`", "`)`"),
        ("weight(1 l2(stage1))", 9, "found `l2`", "`,`"),
        ("weight(l2(stage1), 1)", 7, "found `l2`, which gives a PerSample", "a Value"),
        ("weight(0, l2(stage1))", 7, "found `0`", "a positive finite number"),
        ("weight(-1, l2(stage1))", 7, "found `-1`", "a positive finite number"),
        ("weight(1e999, l2(stage1))", 7, "found `1e999`", "a positive finite number"),
        ("weight(nan, l2(stage1))", 7, "found `nan`", "a positive number"),
        ("weight(1, l3(stage1))", 10, "found `l3`", "a PerSample"),
        ("weight(1, l2(sattt(stage1)))", 13, "found `sattt`", "Did you mean `satt`?"),
        ("weight(1, l2(stage))", 13, "found `stage`", "a Map"),
        ("weight(1, l2(satt(pool)))", 18, "found `pool`, which gives a Vector", "a Map"),
        ("weight(1, kl(stage1, 4))", 13, "found `stage1`, which gives a Map", "or Vector"),
        ("weight(1, kl(logits))", 19, "found `)`", "`,`"),
        ("weight(1, kl(logits, logits))", 21, "which gives a Logits", "a Tau"),
        ("weight(1, hard(pool))", 15, "found `pool`, which gives a Vector", "a Logits"),
        ("weight(1, add(stage1, stage1))", 10, "found", "Loss"),
        ("weight(1, l2(stage1)); import os", 21, "found `;`", "the end of the text"),
        ("__import__('os').system('true')", 0, "found `__import__`", "a Loss"),
        ("weight(1, l2(stage1.grad))", 19, "found `.`", "`)`"),
        ('weight(1, l2("stage1"))', 13, 'found `"`', "a Map"),
        ("weight(1, l2(STAGE1))", 13, "found `STAGE1`", "a Map"),
    ],
)
def test_an_error_names_position_found_and_expected(text: str, position: int, found: str, expected: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    if text != "weight(1, add(stage1, stage1))":  # which of the two faults comes first is no promise
        assert caught.value.position == position
    assert found in str(caught.value)
    assert expected in str(caught.value)
    assert f"column {caught.value.position + 1}:" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "position", "found"),
    [
        ("weight(1, l2(stage0))", 13, "found `stage0`"),
        ("weight(1, l2(stage01))", 13, "found `stage01`"),
        ("weight(1, l2(stage1000))", 13, "found `stage1000`"),
        ("weight(1, l2(stage99999999999999999999))", 13, "found `stage99999999999999999999`"),
        ("weight(1, l2(stage١))", 13, "found `stage`"),  # an Arabic digit one
        ("weight(١, l2(stage1))", 7, "found `١`"),
        ("weight(1١, l2(stage1))", 8, "found `١`"),
        ("weight(1, l2(satté(stage1)))", 17, "found `é`"),
        ("weight(1, kl(logits, 1e-300))", 21, "a Tau: a number from 0.0001 to 1e+06"),
        ("weight(1, kl(logits, 1e300))", 21, "a Tau: a number from 0.0001 to 1e+06"),
        ("weight(1, kl(logits, 0))", 21, "a Tau: a positive finite number"),
    ],
)
def test_numbers_and_taps_that_no_network_has(text: str, position: int, found: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert caught.value.position == position
    assert found in str(caught.value)


@pytest.mark.parametrize("piece", ["a", "7", "é", "(", "weight(1, ", "stage", " "])
@pytest.mark.parametrize("frame", ["{}", "weight(1, l2({}))", "weight({}, l2(stage1))", "weight(1, kl(logits, {}))"])
def test_a_message_repeats_no_more_than_an_excerpt(piece: str, frame: str) -> None:
    text = frame.format(piece * (5000 // len(piece)))
    with pytest.raises(ParseError) as caught:
        parse(text)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("blank", [" ", "\n", "\t", "\u00a0", "\u3000"])
def test_blanks_are_read_once(blank: str) -> None:
    """Every character belongs to one match, blanks included: none of these is tried again from each blank before it."""
    spaces = blank * 4900
    text = f"{spaces}weight(1,{spaces}kl(logits, 4)){spaces}"
    assert str(parse(text)) == "weight(1, kl(logits, 4))"
    assert sum(match.end() - match.start() for match in TOKEN.finditer(text)) == len(text)


def test_the_pointer_stands_under_the_fault() -> None:
    with pytest.raises(ParseError) as caught:
        parse("weight(1, l2(stage1), 2)")
    shown, pointer = str(caught.value).split("\n")[1:]
    assert shown[pointer.index("^")] == ","
    assert shown.strip() == "weight(1, l2(stage1), 2)"


@pytest.mark.parametrize("value", [None, 3, b"weight(1, l2(stage1))", ["weight"], object()])
def test_what_is_no_string_is_refused(value: object) -> None:
    with pytest.raises(ParseError, match="is a string"):
        parse(value)  # type: ignore[arg-type]


def test_depth_and_length_are_bounded() -> None:
    deep = "weight(1, l2(" + "relu(" * 3000 + "stage1" + ")" * 3002
    with pytest.raises(ParseError, match="levels of nesting"):
        parse(deep)
    with pytest.raises(ParseError, match="characters"):
        parse(" " * 1_000_000)


@settings(max_examples=400)
@given(st.text())
@example("\x00")
@example("\ud800")
@example("weight(١, l2(stage1))")  # an Arabic digit one
@example("weight(1, l2(ſtage1))")
@example("(" * 500)
@example("٣" * 50)
def test_any_text_gives_a_tree_or_a_parse_error(text: str) -> None:
    try:
        tree = parse(text)
    except ParseError as error:
        assert 0 <= error.position <= len(text)  # noqa: PT017  # most texts fail, some do not
    else:
        assert parse(str(tree)) == tree


fragments = st.sampled_from(
    [
        "weight",
        "add",
        "l2",
        "kl",
        "satt",
        "stage1",
        "pool",
        "logits",
        "stage",
        "1",
        "0.5",
        "-3",
        "(",
        ")",
        ",",
        " ",
        ".",
    ]
)


@settings(max_examples=400)
@given(st.lists(fragments, max_size=14), seeds, st.integers(0, 10_000))
def test_almost_right_texts_give_a_tree_or_a_parse_error(pieces: list[str], seed: int, place: int) -> None:
    whole = str(random_tree(seed))
    place %= len(whole) + 1
    for text in ("".join(pieces), whole[:place] + "".join(pieces[:2]) + whole[place:], whole[:place]):
        try:
            tree = parse(text)
        except ParseError as error:
            assert 0 <= error.position <= len(text)  # noqa: PT017  # most texts fail, some do not
        else:
            assert parse(str(tree)) == tree


def test_given_taps_alone_are_known() -> None:
    tree = parse("weight(1, l2(stage7))", taps={"stage7": Map})
    assert [s.text for s in tree][-1] == "stage7"
    with pytest.raises(ParseError, match="stage7"):
        parse("weight(1, l2(stage1))", taps={"stage7": Map})


def test_any_stage_number_is_a_map_when_no_taps_are_given() -> None:
    assert parse("weight(1, l2(satt(stage12)))").root.taps() == ("stage12",)


def test_trees_live_in_sets_and_are_copied() -> None:
    texts = ["weight(1, l2(stage1))", "weight(1, l1(stage1))", "weight(1.0,l2( stage1 ))"]
    trees = {parse(text) for text in texts}
    assert {str(tree) for tree in trees} == {"weight(1, l2(stage1))", "weight(1, l1(stage1))"}
    tree = parse(texts[0])
    twin = copy.deepcopy(tree)
    assert twin == tree
    assert twin is not tree
    twin[1:2] = parse("weight(5, l2(stage1))")[1:2]
    assert str(tree) == "weight(1, l2(stage1))"
    assert str(twin) == "weight(5, l2(stage1))"
    assert tree != "weight(1, l2(stage1))"


def test_equality_looks_at_taps_and_constants() -> None:
    one, other = parse("weight(1, l2(stage1))"), parse("weight(5, l2(stage2))")
    assert one != other
    assert not one == other  # noqa: SIM201  # `!=` and `==` are written apart: lists define both
    assert not one != parse(str(one))  # noqa: SIM202
    assert one[1] != other[1]
    assert one[3] != other[3]
    assert one[1] != one[3]
    assert one[1] == parse("weight(1, l1(stage2))")[1]
    assert list(one) != list(other)


def test_the_nested_view_tells_kinds_and_types() -> None:
    root = parse("add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(norm_n(catt(stage2))))))").root
    kinds = {node.symbol: node.kind for node in root.walk()}
    assert kinds == {
        "add": "structure",
        "weight": "structure",
        "1": "constant",
        "kl": "distance",
        "logits": "tap",
        "4": "constant",
        "5": "constant",
        "w_entropy": "weight",
        "l1": "distance",
        "norm_n": "transform",
        "catt": "transform",
        "stage2": "tap",
    }
    assert root.taps() == ("logits", "stage2")
    assert all(set(node.symbol) <= set(string.ascii_lowercase + string.digits + "_.") for node in root.walk())
    tree = parse(root.text)
    assert (tree.size, tree.height) == (13, 6)
