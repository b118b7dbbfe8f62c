"""The search loop, driven by an executor that computes nothing: what it asks for, and what it makes of the answers."""

from collections import Counter
from typing import Any

import pytest

from kdzero_gp import parse
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.grammar.grammar import Grammar
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.grammar.types import Map
from kdzero_gp.grammar.vary import Limits

SETTINGS = SearchSettings(population=6, generations=5, seed=4, elites=2)
KINDS = [("evolve", "tournament"), ("evolve", "nsga2"), ("random", "tournament")]


def settings(**changes: Any) -> SearchSettings:
    return SearchSettings(**({"population": 6, "generations": 5, "seed": 4, "elites": 2} | changes))


@pytest.mark.parametrize(("arm", "selection"), KINDS)
def test_the_budget_is_population_times_generations_plus_one(laboratory: Any, arm: str, selection: str) -> None:
    run = laboratory.run(settings(selection=selection), arm=arm)
    trained = [p for p, e in run.records if e.was_trained]
    assert len(trained) == 6 * (5 + 1)
    assert len(run.executor.trainings) == 36
    assert Counter(p.generation for p in trained) == dict.fromkeys(range(6), 6)


@pytest.mark.parametrize(("arm", "selection"), KINDS)
def test_no_canonical_form_is_evaluated_twice(laboratory: Any, arm: str, selection: str) -> None:
    run = laboratory.run(settings(selection=selection, generations=12), arm=arm)
    keys = [p.canonical for p, _ in run.records]
    assert len(keys) == len(set(keys)) > 72
    assert all(parse(p.tree).key == p.canonical for p, _ in run.records)
    prints = [e.fingerprint for _, e in run.records if e.was_trained]
    assert len(prints) == len(set(prints))
    assert any(e.stage == "functional_duplicate" for _, e in run.records)


@pytest.mark.parametrize(("arm", "selection"), KINDS)
@pytest.mark.parametrize(("depth", "size"), [(2, 4), (3, 6), (4, 30), (9, 9)])
def test_every_proposal_keeps_the_limits(laboratory: Any, arm: str, selection: str, depth: int, size: int) -> None:
    run = laboratory.run(settings(selection=selection, limits=Limits(depth, size)), arm=arm)
    assert {p.generation for p, _ in run.records} >= {0}
    for proposal, _ in run.records:
        tree = parse(proposal.tree)
        assert tree.height <= depth
        assert tree.size <= size


def test_proposals_are_numbered_densely_and_know_their_parents(laboratory: Any) -> None:
    run = laboratory.run(settings(generations=10))
    proposals = [p for p, _ in run.records]
    assert [p.number for p in proposals] == list(range(len(proposals)))
    status = {p.number: e.status for p, e in run.records}
    count = {"random": 0, "crossover": 2, "join": 2}
    for proposal in proposals:
        assert len(proposal.parents) == count.get(proposal.operator, 1)
        assert all(parent < proposal.number and status[parent] == "ok" for parent in proposal.parents)
    assert {p.operator for p in proposals} >= {"random", "crossover", "join", "subtree", "node"}


def test_random_search_draws_every_tree_afresh(laboratory: Any) -> None:
    run = laboratory.run(settings(), arm="random")
    assert {p.operator for p, _ in run.records} == {"random"}
    assert all(p.parents == () for p, _ in run.records)


def test_seeds_come_first_and_once(laboratory: Any) -> None:
    seeds = [parse("weight(1, kl(logits, 4))"), parse("weight(1, l2(no(stage1)))")]
    seeds.append(parse("weight(1, l2(stage1))"))
    run = laboratory.run(settings(), seeds=seeds, executor=laboratory.Executor(troubled=False))
    first = [p for p, _ in run.records][:3]
    assert [p.tree for p in first[:2]] == [str(seed) for seed in seeds[:2]]
    assert [p.operator for p in first] == ["seed", "seed", "random"]


def test_seeds_without_progress_are_trained_all_the_same(laboratory: Any) -> None:
    """Their user knows them; but what nothing can be learned from is turned down, whoever names it."""
    idle, dead, done = (parse(f"weight(1, {text})") for text in ("l2(stage1)", "l2(stage2)", "l2(stage3)"))
    turned_down = {str(idle): "no_progress", str(dead): "no_gradient"}

    class Strict(laboratory.Executor):  # type: ignore[misc, name-defined]
        def _screening(self, tree: Tree) -> Any:
            stage = turned_down.get(str(tree))
            if stage is None:
                return super()._screening(tree)
            return laboratory.evaluation("rejected", stage=stage, calibration=(3.0,), fingerprint=f"print of {tree}")

    run = laboratory.run(settings(), seeds=[idle, dead, done], executor=Strict(troubled=False))
    records = {p.tree: e for p, e in run.records if p.operator == "seed"}
    assert (records[str(idle)].status, records[str(idle)].fingerprint) == ("ok", f"print of {idle}")
    assert (records[str(dead)].status, records[str(dead)].stage) == ("rejected", "no_gradient")
    assert records[str(done)].status == "ok"
    assert idle.key in {key for key, _, _ in run.executor.trainings}
    assert run.generations[0]["funnel"].get("no_progress", 0) == 0
    again = laboratory.run(settings(), seeds=[idle, dead, done], executor=Strict(troubled=False))
    assert again.history == run.history
    assert again.executor.trainings == [], "what is stored is not repeated"


@pytest.mark.parametrize(("arm", "selection"), KINDS)
def test_the_same_seed_gives_the_same_run_whatever_the_order_of_results(
    laboratory: Any, arm: str, selection: str
) -> None:
    runs = [
        laboratory.run(
            settings(selection=selection), arm=arm, name=str(shuffle), executor=laboratory.Executor(shuffle=shuffle)
        )
        for shuffle in (False, True)
    ]
    assert runs[0].history == runs[1].history
    assert runs[0].generations == runs[1].generations
    other = laboratory.run(settings(selection=selection, seed=5), arm=arm, name="other")
    assert other.history != runs[0].history


def test_the_arms_draw_different_trees(laboratory: Any) -> None:
    evolve, random = (laboratory.run(settings(generations=0), arm=arm, name=arm) for arm in ("evolve", "random"))
    assert [p.tree for p, _ in evolve.records] != [p.tree for p, _ in random.records]


@pytest.mark.parametrize("selection", ["tournament", "nsga2"])
def test_what_failed_is_no_member_of_a_population(laboratory: Any, selection: str) -> None:
    run = laboratory.run(settings(selection=selection, generations=10))
    statuses = Counter(e.status for _, e in run.records)
    assert statuses["rejected"] > 0
    assert sum(statuses[name] for name in ("nan", "error", "timeout", "oom", "worker_lost")) > 3
    members = [member for population in run.recorder.populations for member in population]
    assert members
    assert all(member.evaluation.status == "ok" for member in members)
    assert len(run.found) == statuses["ok"]
    assert [i.value for i in run.found] == sorted(i.value for i in run.found)


def test_everything_failing_ends_cleanly(laboratory: Any) -> None:
    executor = laboratory.Executor()
    executor._result = lambda job: laboratory.evaluation("error", error="by design")
    run = laboratory.run(settings(), executor=executor)
    assert run.found == []
    assert all(population == [] for population in run.recorder.populations)
    asked = Counter(p.generation for p, _ in run.records)
    assert all(count <= 6 * SETTINGS.patience + 6 for count in asked.values())


@pytest.mark.parametrize("selection", ["tournament", "nsga2"])
def test_the_best_is_never_lost(laboratory: Any, selection: str) -> None:
    run = laboratory.run(settings(selection=selection, generations=12))
    best_so_far = float("inf")
    for population, stats in zip(run.recorder.populations, run.recorder.stats, strict=True):
        best = min(member.value for member in population)
        assert best <= best_so_far
        best_so_far = best
        assert stats["best"] == best
        assert len(population) <= 6
    assert run.found[0].value == best_so_far


def test_elites_leave_room_for_the_new(laboratory: Any) -> None:
    """Two elites: of four or more worse newcomers the best must be members, though older ones are better."""
    run = laboratory.run(settings(generations=10), executor=laboratory.Executor(troubled=False))
    for number, population in enumerate(run.recorder.populations[1:], 1):
        assert sum(member.proposal.generation < number for member in population) <= 2


def test_selection_finds_smaller_losses_than_chance(laboratory: Any) -> None:
    """With a fitness that has structure, evolution must do better than drawing afresh; a fixed seed each."""

    def fitness(tree: Any) -> float:
        text = str(tree)
        return 10 - text.count("stage2") - 2 * text.count("l1(") - text.count("relu") + 0.05 * tree.size

    wins = 0
    for seed in range(5):
        values = []
        for arm in ("evolve", "random"):
            executor = laboratory.Executor(fitness=fitness, troubled=False)
            run = laboratory.run(settings(generations=15, seed=seed), arm=arm, name=f"{arm}{seed}", executor=executor)
            values.append(run.found[0].value)
        wins += values[0] < values[1]
    assert wins >= 4


def test_nsga2_keeps_the_front_of_fitness_and_size(laboratory: Any) -> None:
    run = laboratory.run(settings(selection="nsga2", generations=10), executor=laboratory.Executor(troubled=False))
    points = {(member.value, member.tree.size) for member in run.found}
    front = {p for p in points if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in points)}
    last = {(member.value, member.tree.size) for member in run.recorder.populations[-1]}
    assert len(front & last) == min(len(front), 6)


@pytest.mark.parametrize(("arm", "selection"), KINDS)
def test_an_exhausted_space_ends_cleanly(laboratory: Any, arm: str, selection: str) -> None:
    registry = {name: active_registry()[name] for name in ("weight", "add", "l2", "l1", "relu")}
    grammar = Grammar(registry, {"stage1": Map})
    executor = laboratory.Executor(troubled=False)
    run = laboratory.run(
        settings(selection=selection, limits=Limits(2, 4)), arm=arm, grammar=grammar, executor=executor
    )
    weights = len(grammar.terminals[registry["weight"].signatures[0].inputs[0]])
    assert len(run.records) == 2 * weights
    assert len(run.generations) == 6
    again = laboratory.run(
        settings(selection=selection, limits=Limits(2, 4)), arm=arm, grammar=grammar, executor=executor
    )
    assert again.history == run.history


def test_the_funnel_counts_every_proposal_once(laboratory: Any) -> None:
    run = laboratory.run(settings(generations=8))
    by_generation = Counter(p.generation for p, _ in run.records)
    for number, stats in enumerate(run.recorder.stats):
        funnel = dict(stats["funnel"])
        assert funnel["proposed"] == by_generation[number]
        assert funnel["trained"] == 6
        own = [e for p, e in run.records if p.generation == number]
        for stage in ("no_progress", "functional_duplicate"):
            assert funnel.get(stage, 0) == sum(e.stage == stage for e in own)
        turned_down = sum(not e.was_trained for e in own)
        assert funnel["proposed"] == funnel["trained"] + turned_down


def test_a_generation_of_an_exhausted_space_counts_zero_proposals(laboratory: Any) -> None:
    small = SearchSettings(population=40, generations=12, limits=Limits(max_depth=2, max_size=4))
    run = laboratory.run(small, executor=laboratory.Executor(troubled=False))
    proposed = [run.generations[number]["funnel"]["proposed"] for number in range(13)]
    assert proposed[0] > 0
    assert proposed[-1] == 0
