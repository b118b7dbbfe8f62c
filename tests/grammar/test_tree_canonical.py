"""One canonical form for what computes the same."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdzero_gp import parse, random_tree
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.grammar.tree import Node

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=200)
@given(seeds)
def test_it_is_idempotent_and_readable(seed: int) -> None:
    tree = random_tree(seed, grammar=default_grammar(extended=seed % 2 == 0), max_size=60)
    canonical = tree.canonical()
    assert canonical.canonical() == canonical
    assert tree.key == str(canonical) == canonical.key
    assert list(parse(str(canonical))) == list(canonical)
    assert canonical.size <= tree.size
    assert not any(node.operation and node.operation.identity for node in canonical.root.walk())


def terms(node: Node) -> list[str]:
    return [t for child in node.children for t in terms(child)] if node.symbol == "add" else [node.text]


def shuffled_sum(rng: random.Random, texts: list[str]) -> str:
    """The same terms in another order and another nesting."""
    texts = rng.sample(texts, len(texts))
    while len(texts) > 1:
        place = rng.randrange(len(texts) - 1)
        texts[place : place + 2] = [f"add({texts[place]}, {texts[place + 1]})"]
    return texts[0]


@settings(max_examples=100)
@given(seeds, st.integers(2, 7))
def test_the_order_and_nesting_of_sums_do_not_matter(seed: int, count: int) -> None:
    rng = random.Random(seed)
    texts = [text for _ in range(count) for text in terms(random_tree(rng, max_size=12).root)]
    trees = [parse(shuffled_sum(rng, texts)) for _ in range(4)]
    assert len({tree.key for tree in trees}) == 1
    weights: dict[str, float] = {}
    for text in texts:
        for term in terms(parse(text).canonical().root):
            value, distance = parse(term).root.children
            weights[distance.text] = weights.get(distance.text, 0.0) + (value.value or 0.0)
    merged = {node.children[1].text: node.children[0].value for node in map(root, terms(trees[0].canonical().root))}
    assert merged == pytest.approx(weights)
    assert terms(trees[0].canonical().root) == sorted(terms(trees[0].canonical().root))


def root(text: str) -> Node:
    return parse(text).root


def test_terms_of_one_distance_become_one() -> None:
    tree = parse("add(weight(0.05, l2(pool)), add(weight(1, l1(pool)), weight(0.1, l2(no(pool)))))")
    assert str(tree.canonical()) == "add(weight(0.15, l2(pool)), weight(1, l1(pool)))"


def wrapped(rng: random.Random, node: Node) -> str:
    """The text with identity operations put in wherever the types allow."""
    text = node.text
    if node.children:
        text = f"{node.symbol}({', '.join(wrapped(rng, child) for child in node.children)})"
    while rng.random() < 0.4:
        if node.type.__name__ == "PerSample":
            text = f"w_no({text})"
        elif node.type.__name__ == "Map" and rng.random() < 0.5:
            text = f"scale_r1({text})"
        elif node.type.__name__ in ("Map", "Rows", "Vector", "Logits"):
            text = f"no({text})"
        else:
            break
    return text


@settings(max_examples=100)
@given(seeds)
def test_identities_do_not_matter(seed: int) -> None:
    rng = random.Random(seed)
    tree = random_tree(rng, grammar=default_grammar(extended=True))
    assert parse(wrapped(rng, tree.root)).key == tree.key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("weight(1, l2(relu(relu(relu(stage1)))))", "weight(1, l2(relu(stage1)))"),
        ("weight(1, l2(relu(no(relu(stage1)))))", "weight(1, l2(relu(stage1)))"),
        ("weight(1, l2(no(scale_r1(no(stage1)))))", "weight(1, l2(stage1))"),
        ("weight(1, w_no(w_no(l2(pool))))", "weight(1, l2(pool))"),
        ("weight(1, l2(pow2(pow2(stage1))))", "weight(1, l2(pow2(pow2(stage1))))"),
        ("weight(1, hard(no(logits)))", "weight(1, hard(logits))"),
        ("add(weight(5, l2(pool)), weight(1, l1(pool)))", "add(weight(1, l1(pool)), weight(5, l2(pool)))"),
        ("weight(1.0, l2(stage1))", "weight(1, l2(stage1))"),
    ],
)
def test_known_forms(text: str, key: str) -> None:
    assert parse(text).key == key


def test_what_differs_keeps_different_keys() -> None:
    texts = ["weight(1, l2(stage1))", "weight(1, l2(stage2))", "weight(5, l2(stage1))", "weight(1, l1(stage1))"]
    texts += ["weight(1, l2(relu(stage1)))", "weight(1, w_conf(l2(stage1)))", "weight(1, w_conf(w_conf(l2(stage1))))"]
    texts += ["add(weight(1, l2(stage1)), weight(1, l2(stage1)))"]
    assert len({parse(text).key for text in texts}) == len(texts)
