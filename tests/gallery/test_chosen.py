"""Which distillers are drawn: recomputed by hand on a small family."""

from collections.abc import Callable

import pytest

from kdzero_gp.errors import ConfigError
from kdzero_gp.gallery.chosen import ancestors, choose, latest_by_key, pareto_front, parse_key
from kdzero_gp.store import RunStore
from tests.gallery.sample_run import fill_sample

Recorder = Callable[..., None]


def test_ancestors_nearest_first_each_once_and_no_cycle(store: RunStore, record: Recorder) -> None:
    for number, parents in enumerate([(), (), (0, 1), (2, 0), (3, 3), (5, 99)]):
        record(number, f"weight({number + 1}, l1(pool))", 1.0, parents=parents)
    latest = latest_by_key(list(store.evaluations()))
    assert ancestors(latest, [("evolve", 4)]) == [("evolve", 3), ("evolve", 2), ("evolve", 0), ("evolve", 1)]
    assert ancestors(latest, [("evolve", 5)]) == []  # its own parent, and one that is not there


def test_the_front_holds_what_no_other_beats_in_fitness_and_size(store: RunStore, record: Recorder) -> None:
    trees = {
        "weight(1, l1(pool))": 2.0,  # 4 nodes
        "weight(2, l1(pool))": 1.5,
        "weight(1, l1(relu(pool)))": 1.6,  # larger and worse
        "weight(1, kl(logits, 4))": 1.2,  # 5 nodes
        "weight(1, l1(relu(tanh(pool))))": 1.1,
    }
    for number, (tree, fitness) in enumerate(trees.items()):
        record(number, tree, fitness)
    record(0, "weight(1, l1(f))", 0.1, arm="random")  # not of the main search
    latest = latest_by_key(list(store.evaluations()))
    brute = {
        key
        for key, (p, e) in latest.items()
        if key[0] == "evolve"
        and not any(
            other != key
            and other[0] == "evolve"
            and (len(q.tree.split("(")), f.fitness) != (len(p.tree.split("(")), e.fitness)
            and size(q.tree) <= size(p.tree)
            and (f.fitness or 0) <= (e.fitness or 0)
            for other, (q, f) in latest.items()
        )
    }
    assert set(pareto_front(latest)) == brute == {("evolve", 1), ("evolve", 3), ("evolve", 4)}


def size(text: str) -> int:
    return len(text.replace("(", " ").replace(")", " ").replace(",", " ").split())


def test_the_front_is_of_those_trained_longest(store: RunStore, record: Recorder) -> None:
    record(0, "weight(1, l1(pool))", 0.5)
    record(1, "weight(1, l1(logits))", 0.9)
    record(1, "weight(1, l1(logits))", 0.8, rung=1)
    assert pareto_front(latest_by_key(list(store.evaluations()))) == (("evolve", 1),)


def test_winner_front_best_and_all_their_ancestors_are_drawn(store: RunStore, record: Recorder) -> None:
    fill_sample(store, record)
    recorded = list(store.evaluations())
    chosen = choose(recorded, [("evolve", 3)])
    assert chosen.winner == ("evolve", 3)
    assert set(chosen.drawn[:4]) == {("evolve", number) for number in (3, 2, 1, 0)}
    assert chosen.drawn[4:] == (("random", 0), ("evolve", 4), ("evolve", 5))  # all others: trained ones first
    assert choose(recorded, [("evolve", 3)], winner=("evolve", 2)).drawn[0] == ("evolve", 2)
    assert choose(recorded, [("evolve", 3)], winner=("evolve", 77)).winner == ("evolve", 3)
    assert len(choose(recorded, [("evolve", 3)], most=2).drawn) == 2
    assert ("evolve", 4) in choose(recorded, [], named=[("evolve", 4), ("none", 1)]).drawn
    assert choose([], []).winner is None


def test_names_on_the_command_line() -> None:
    assert parse_key("random/12") == ("random", 12)
    assert parse_key("7") == ("evolve", 7)
    for text in ("", "evolve/", "evolve/-1", "evolve/x", "²"):
        with pytest.raises(ConfigError, match="names no distiller"):
            parse_key(text)
