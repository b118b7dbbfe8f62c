"""Selection schemes: the two that there are against plain loops, and a third that is declared in this file alone."""

import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp import parse
from kdzero_gp.errors import ConfigError
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.selection import NSGA2, SELECTIONS, Selection, Tournament, make_selection, selection
from kdzero_gp.evolve.settings import SearchSettings
from kdzero_gp.evolve.steady import SteadySearch
from kdzero_gp.run.config import make_config
from kdzero_gp.store import RunStore
from kdzero_gp.store.record import Evaluation, Proposal

TREES = [parse(f"weight(1, l2({'relu(' * size}stage1{')' * size}))") for size in range(5)]


class Oldest(Selection):
    """Keeps the individuals with the lowest numbers, and takes the first of them as the parent."""

    def parent(self, population: Sequence[Individual], rng: random.Random) -> Individual:
        return population[0]

    def survivors(self, population: Sequence[Individual], newcomers: Sequence[Individual]) -> list[Individual]:
        everyone = sorted([*population, *newcomers], key=lambda individual: individual.proposal.number)
        return everyone[: self.settings.population]


@pytest.fixture
def oldest() -> Iterator[str]:
    with SELECTIONS.restored():
        selection("oldest", "keeps the first that came")(Oldest)
        yield "oldest"


def individual(number: int, fitness: float, scheme: type[Selection], size: int = 0, rung: int = 0) -> Individual:
    proposal = Proposal(number, 0, "evolve", "random", (), str(TREES[size]), str(number), rung, TREES[size])
    return Individual.of(proposal, Evaluation("ok", fitness=fitness), scheme)


def settings(**changes: Any) -> SearchSettings:
    return SearchSettings(**({"population": 4, "elites": 2, "generations": 3, "seed": 1} | changes))


def numbers(population: Sequence[Individual]) -> list[int]:
    return sorted(member.proposal.number for member in population)


def test_a_scheme_of_this_file_runs_a_search(laboratory: Any, oldest: str) -> None:
    run = laboratory.run(settings(selection=oldest), executor=laboratory.Executor(troubled=False))
    assert [numbers(population) for population in run.recorder.populations] == [[0, 1, 2, 3]] * 4
    parents = {parent for proposal, _ in run.records for parent in proposal.parents}
    assert parents == {0}


def test_and_a_steady_search(laboratory: Any, oldest: str) -> None:
    class OneByOne(laboratory.Executor):  # type: ignore[misc, name-defined]
        workers = 1

        def submit(self, job: Any) -> int:
            self.given += 1
            self.job = job
            return int(self.given)

        def wait(self) -> tuple[int, Any]:
            return self.given, self._result(self.job)

    class Nobody:
        def evaluated(self, proposal: Proposal, evaluation: Evaluation, *, fresh: bool) -> None:
            """Nothing."""

        def generation_done(self, arm: Any, generation: int, stats: dict[str, object]) -> None:
            """Nothing."""

    from kdzero_gp.grammar.grammar import default_grammar

    with RunStore.create(laboratory.folder / "steady", {}) as store:
        executor: Any = OneByOne(troubled=False)
        search = SteadySearch("evolve", settings(selection=oldest), default_grammar(), executor, store, Nobody())
        search.run()
    assert numbers(search.population) == [0, 1, 2, 3]


def test_it_is_an_option_like_the_others(oldest: str) -> None:
    assert make_config(selection=oldest).selection == "oldest"
    assert SELECTIONS.help("tournament").endswith("; oldest: keeps the first that came.")
    with pytest.raises(ConfigError, match="--selection oldest selects parents, but --algorithm random has none"):
        make_config(selection=oldest, algorithm="random")


def test_an_unknown_one_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="--selection is 'oldest', but should be 'tournament' or 'nsga2'"):
        make_config(selection="oldest")


def test_a_file_of_the_users_declares_one(tmp_path: Path) -> None:
    """Named by --primitives, in a process of its own: nothing else knows of it."""
    file = tmp_path / "mine.py"
    file.write_text(
        "from kdzero_gp.evolve.selection import Tournament, selection\n"
        "@selection('mine', 'as ever')\nclass Mine(Tournament):\n    pass\n"
    )
    code = (
        "from kdzero_gp.run.config import make_config\n"
        "from kdzero_gp.evolve.selection import SELECTIONS\n"
        f"print(make_config(selection='mine', primitives=[{str(file)!r}]).selection, SELECTIONS['mine'].__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "mine Mine\n"


def test_a_tournament_is_won_by_the_higher_rung_then_the_lower_fitness() -> None:
    scheme = make_selection(settings(tournament=50))
    members = [individual(n, f, Tournament, rung=r) for n, (f, r) in enumerate([(1.0, 0), (3.0, 1), (2.0, 1)])]
    assert isinstance(scheme, Tournament)
    assert scheme.parent(members, random.Random(0)).proposal.number == 2, "fifty draws of three miss none"


def test_elites_and_newcomers_survive() -> None:
    scheme = Tournament(settings())
    old = [individual(number, float(number), Tournament) for number in range(4)]
    new = [individual(10 + number, 10.0 + number, Tournament) for number in range(4)]
    assert numbers(scheme.survivors(old, new)) == [0, 1, 10, 11]


def test_nsga2_keeps_what_nothing_dominates() -> None:
    scheme = NSGA2(settings(population=3))
    points = [(1.0, 4), (2.0, 2), (3.0, 0), (3.0, 4), (2.5, 3)]
    members = [individual(number, fitness, NSGA2, size) for number, (fitness, size) in enumerate(points)]
    front = [n for n, (f, s) in enumerate(points) if not any((g, t) != (f, s) and g <= f and t <= s for g, t in points)]
    assert numbers(scheme.survivors(members[:2], members[2:])) == front == [0, 1, 2]


def test_a_newcomer_takes_the_place_of_what_it_was() -> None:
    for scheme, kind in ((Tournament(settings()), Tournament), (NSGA2(settings()), NSGA2)):
        population: list[Individual] = []
        for number in range(3):
            population = scheme.admit(population, individual(number, float(number), kind))
        promoted = individual(2, 9.0, kind, rung=1)
        population = scheme.admit(population, promoted)
        assert numbers(population) == [0, 1, 2]
        assert promoted in population
