"""Search-space shrinkage: what it takes from an operation's weight, and what it never takes."""

import random
from typing import Any

import pytest
from scipy.stats import mannwhitneyu

from kdzero_gp import Map, parse, random_tree
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.selection import Tournament
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.evolve.shrink import FACTOR, FLOOR, LEAST_CARRIERS, LEVEL, shrunk_weights
from kdzero_gp.grammar.grammar import Grammar, default_grammar
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.store.record import Proposal


def trained(laboratory: Any, text: str, fitness: float) -> Individual:
    tree = parse(text)
    proposal = Proposal(0, 0, "evolve", "random", (), text, tree.key, 0)
    return Individual.of(proposal, laboratory.evaluation("ok", fitness=fitness), Tournament)


def members(laboratory: Any, text: str, fitnesses: list[float]) -> list[Individual]:
    return [trained(laboratory, text, fitness) for fitness in fitnesses]


BAD, GOOD = "weight(1, l2(relu(stage1)))", "weight(1, l1(tanh(stage1)))"


def test_bad_carriers_cost_weight_and_good_ones_do_not(laboratory: Any) -> None:
    everyone = members(laboratory, BAD, [5 + i / 10 for i in range(10)])
    everyone += members(laboratory, GOOD, [1 + i / 10 for i in range(10)])
    weights = shrunk_weights(default_grammar(), {}, everyone)
    assert weights == {"l2": FACTOR, "relu": FACTOR}
    assert shrunk_weights(default_grammar(), weights, everyone) == {"l2": FACTOR**2, "relu": FACTOR**2}
    assert weights == {"l2": FACTOR, "relu": FACTOR}, "the argument was changed"


def test_no_weight_falls_below_the_floor(laboratory: Any) -> None:
    everyone = members(laboratory, BAD, [5 + i / 10 for i in range(10)])
    everyone += members(laboratory, GOOD, [1 + i / 10 for i in range(10)])
    weights: dict[str, float] = {}
    for _ in range(30):
        weights = shrunk_weights(default_grammar(), weights, everyone)
    assert weights == {"l2": FLOOR, "relu": FLOOR}


@pytest.mark.parametrize(("bad", "good"), [(LEAST_CARRIERS - 1, 20), (20, LEAST_CARRIERS - 1)])
def test_few_carriers_prove_nothing(laboratory: Any, bad: int, good: int) -> None:
    everyone = members(laboratory, BAD, [5 + i / 10 for i in range(bad)])
    everyone += members(laboratory, GOOD, [1 + i / 10 for i in range(good)])
    assert shrunk_weights(default_grammar(), {}, everyone) == {}


def test_the_judgement_is_a_one_sided_rank_test(laboratory: Any) -> None:
    rng = random.Random(0)
    for shift in (0.0, 0.3, 0.6, 1.0, 1.5):
        bad, good = ([rng.gauss(mean, 1) + 5 for _ in range(15)] for mean in (shift, 0.0))
        weights = shrunk_weights(
            default_grammar(), {}, [*members(laboratory, BAD, bad), *members(laboratory, GOOD, good)]
        )
        above = sum((b > g) + (b == g) / 2 for b in bad for g in good)
        statistic, p_value = mannwhitneyu(bad, good, alternative="greater")
        assert statistic == above
        assert ("relu" in weights) == (p_value < LEVEL)


def test_the_only_way_to_a_type_keeps_its_weight(laboratory: Any) -> None:
    registry = active_registry()
    grammar = Grammar({name: registry[name] for name in ("weight", "add", "l2", "relu", "tanh")}, {"stage1": Map})
    everyone = members(laboratory, "weight(1, l2(relu(stage1)))", [5 + i / 10 for i in range(10)])
    everyone += members(laboratory, "weight(1, l1(tanh(stage1)))", [1 + i / 10 for i in range(10)])
    assert shrunk_weights(grammar, {}, everyone) == {"relu": FACTOR}, "l2 alone leads to PerSample here"


def test_what_the_canonical_form_drops_carries_nothing(laboratory: Any) -> None:
    everyone = members(laboratory, "weight(1, l2(no(stage1)))", [5 + i / 10 for i in range(10)])
    everyone += members(laboratory, "weight(1, l2(tanh(stage1)))", [1 + i / 10 for i in range(10)])
    assert "no" not in shrunk_weights(default_grammar(), {}, everyone)


def test_a_lower_weight_means_fewer_draws() -> None:
    def share(weights: dict[str, float]) -> float:
        rng = random.Random(0)
        trees = [random_tree(rng, max_depth=5, max_size=15, weights=weights) for _ in range(2000)]
        return sum("relu" in {node.symbol for node in tree.root.walk()} for tree in trees) / 2000

    before, after = share({}), share({"relu": FLOOR})
    assert 0 < after < before / 4


def test_a_search_shrinks_only_when_told_to(laboratory: Any) -> None:
    def fitness(tree: Any) -> float:
        return 1.0 + 5 * ("l1(" in str(tree)) + len(str(tree)) / 1000

    for shrink in (True, False):
        settings = SearchSettings(population=10, generations=6, seed=1, shrink_space=shrink)
        executor = laboratory.Executor(fitness=fitness, troubled=False)
        run = laboratory.run(settings, name=str(shrink), executor=executor)
        assert bool(run.search.weights) == shrink
        if shrink:
            assert run.search.weights["l1"] < 1
            assert run.generations[6]["weights"]["l1"] == run.search.weights["l1"]
