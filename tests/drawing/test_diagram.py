"""The drawing's source: one node per distinct subtree, order, constants, aligners, calibration, hostile text."""

import re
from collections.abc import Callable

import pygraphviz
import pytest

from kdzero_gp.drawing.diagram import MAXIMUM_NODES, graph, gv
from kdzero_gp.errors import KdzeroError
from kdzero_gp.grammar.tree import Tree

Read = Callable[[str], Tree]


def nodes(source: str) -> dict[str, str]:
    return {
        m[1]: m[0] for m in re.finditer(r"^\t(n\d+(?:c\d+)?) \[.*?\](?=\n\t|\n})", source, re.MULTILINE | re.DOTALL)
    }


def edges(source: str) -> list[tuple[str, str]]:
    return re.findall(r"^\t(\w+) -> (\w+)", source, re.MULTILINE)


def test_every_node_and_edge_of_the_tree_is_drawn(example: Tree) -> None:
    source = gv(example)
    assert len(nodes(source)) == example.size  # no subtree stands twice in this one
    assert len(edges(source)) == example.size - 1


def test_a_shared_subtree_is_drawn_once_and_constants_at_each_use(read: Read) -> None:
    source = gv(read("add(weight(1, l1(satt(stage1))), weight(1, l2(satt(stage1))))"))
    drawn = nodes(source)
    # stage1, satt, l1, l2, two weights, add, and the constant 1 at both weights
    assert len(drawn) == 9
    assert sum(">satt<" in text for text in drawn.values()) == 1
    assert sum("w = 1<" in text for text in drawn.values()) == 2
    satt = next(name for name, text in drawn.items() if ">satt<" in text)
    assert sum(source == satt for source, _ in edges(source)) == 2


def test_one_term_twice_gives_two_edges_into_the_sum(read: Read) -> None:
    source = gv(read("add(weight(1, l1(pool)), weight(1, l1(pool)))"))
    root = next(name for name, text in nodes(source).items() if ">add<" in text)
    into = [both for both in edges(source) if both[1] == root]
    assert len(into) == 2
    assert into[0] == into[1]


def test_arguments_of_a_sum_are_numbered_in_their_order(example: Tree) -> None:
    source = gv(example)
    heads = dict(re.findall(r"^\t(\w+) -> \w+ \[headlabel=(\d)", source, re.MULTILINE))
    drawn = nodes(source)
    assert sorted(heads.values()) == ["1", "2"]
    for name, place in heads.items():
        assert ("kl(logits, 4)" in drawn[name]) == (place == "1")


def test_constants_are_rounded_with_the_full_value_in_the_tooltip(read: Read) -> None:
    source = gv(read("weight(0.123456789, kl(logits, 3.14159))"))
    assert "w = 0.123<" in source
    assert "τ = 3.14<" in source
    assert 'tooltip="w = 0.123456789"' in source
    assert 'tooltip="τ = 3.14159"' in source


def test_aligner_notes_calibration_and_side_are_visible(read: Read) -> None:
    tree = read("add(weight(1, l1(only_teacher(stage1))), weight(5, l1(stage2)))")
    source = gv(tree, aligned=["stage2", "logits"], calibration=[0.00321, 1234.5], tap_notes={"stage1": "(8, 4, 4)"})
    drawn = list(nodes(source).values())
    stage1, stage2 = (next(t for t in drawn if f">stage{i}<" in t) for i in (1, 2))
    assert "learned aligner" in stage2
    assert "dashed" in stage2
    assert "learned aligner" not in stage1
    assert "(8, 4, 4)" in stage1
    assert "teacher only" in next(t for t in drawn if ">only_teacher<" in t)
    assert "calibration × 0.00321<" in next(t for t in drawn if 'tooltip="weight(1,' in t)
    assert "calibration × 1230<" in next(t for t in drawn if 'tooltip="weight(5,' in t)


def test_calibration_that_does_not_fit_the_terms_is_not_shown(example: Tree) -> None:
    for factors in ([1.0], [1.0, 2.0, 3.0], [1.0, float("nan")]):
        assert "calibration" not in gv(example, calibration=factors)


def test_the_same_tree_gives_the_same_source(read: Read, example: Tree) -> None:
    assert gv(example) == gv(read(str(example))) == str(graph(example).source)


def test_types_are_told_by_colour_and_by_word(read: Read) -> None:
    source = gv(read("add(weight(1, l1(channel(stage1))), add(weight(1, l1(pool)), weight(1, kl(logits, 4))))"))
    fills = {}
    for text in nodes(source).values():
        type_ = re.search(r"type-(\w+)", text)
        fill = re.search(r'fillcolor="(#\w+)"', text)
        assert type_
        assert fill
        fills.setdefault(type_[1], fill[1])
        assert fills[type_[1]] == fill[1]
        if type_[1] != "constant":
            assert f">{type_[1]}<" in text
    assert set(fills) == {"Map", "Rows", "Vector", "Logits", "PerSample", "Loss", "constant"}
    assert len(set(fills.values())) == 7


@pytest.mark.parametrize(
    "title", ['"]; evil [label="x', "<b>&amp;</b>", "a\\nb\\N\\G\\", "\x00\x1b[2J\u202e", "<<i>html</i>>"]
)
def test_a_hostile_title_stays_a_title(example: Tree, title: str) -> None:
    source = gv(example, title=title)
    read_back = pygraphviz.AGraph(string=source)
    assert read_back.number_of_nodes() == example.size
    assert read_back.number_of_edges() == example.size - 1
    assert "\x00" not in source
    assert "\u202e" not in source


def test_a_tree_too_large_to_draw_is_refused_with_its_size(read: Read) -> None:
    text = "weight(1, l1(pool))"
    chain = "add(" * 90 + text + "".join(f", weight({n}.5, kl(pool, {n + 1}.25)))" for n in range(90))
    with pytest.raises(KdzeroError, match=f"at most {MAXIMUM_NODES}"):
        gv(read(chain))
