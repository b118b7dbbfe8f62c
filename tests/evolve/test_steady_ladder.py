"""Promotion while others still run, against plain recomputation after every result."""

import random

import pytest

from kdzero_gp import parse
from kdzero_gp.evaluate.rungs import Ladder
from kdzero_gp.evolve.individual import Individual
from kdzero_gp.evolve.selection import Tournament
from kdzero_gp.evolve.steady_ladder import SteadyLadder
from kdzero_gp.store.record import Evaluation, Proposal

TREE = parse("weight(1, kl(logits, 4))")


def finished_at(number: int, rung: int, fitness: float) -> Individual:
    proposal = Proposal(number, 0, "evolve", "random", (), str(TREE), TREE.key, rung)
    return Individual.of(proposal, Evaluation("ok", fitness=fitness), Tournament)


@pytest.mark.parametrize(("eta", "most"), [(2, 1), (3, 1), (3, 4)])
def test_the_best_of_those_that_finished_go_on_at_once_and_once(eta: int, most: int) -> None:
    rng = random.Random(0)
    ladder = SteadyLadder(Ladder((1, 2, 3), eta), population=60, generations=1)
    finished: list[dict[int, float]] = [{}, {}, {}]
    gone: list[set[int]] = [set(), set(), set()]
    for number in range(60):
        arrivals = [(number, 0)]
        while arrivals:
            who, rung = arrivals.pop()
            finished[rung][who] = rng.random()
            ladder.add(finished_at(who, rung, finished[rung][who]))
            while True:
                expected = plain(finished, gone, eta, most)
                assert ladder.promote(most) == expected
                if expected is None:
                    break
                gone[expected[0] - 1].update(expected[1])
                arrivals += [(promoted, expected[0]) for promoted in expected[1]]
    assert len(gone[0]) >= 60 // eta
    assert len(gone[1]) >= 60 // eta // eta


def plain(
    finished: list[dict[int, float]], gone: list[set[int]], eta: int, most: int
) -> tuple[int, tuple[int, ...]] | None:
    second = -(-60 // eta)
    rooms = [60, second, -(-second // eta)]
    for rung in (1, 0):
        best = sorted(finished[rung], key=lambda number: finished[rung][number])[: len(finished[rung]) // eta]
        chosen = [number for number in best if number not in gone[rung]][:most]
        chosen = chosen[: rooms[rung + 1] - len(gone[rung])]
        if chosen:
            return rung + 1, tuple(chosen)
    return None


def test_no_rung_takes_more_than_whole_generations_would_send() -> None:
    """Ever better candidates are each the best of their time, and would all go on."""
    ladder = SteadyLadder(Ladder((1, 2, 3)), population=4, generations=5)
    assert ladder.room == [20, 10, 5]
    promoted = []
    for number in range(40):
        ladder.add(finished_at(number, 0, -float(number)))
        while (chosen := ladder.promote(1)) is not None:
            promoted.append(chosen)
    assert len(promoted) == 10


def test_in_the_end_somebody_goes_on_even_from_a_few() -> None:
    ladder = SteadyLadder(Ladder((1, 2, 3)), population=2, generations=1)
    for number, fitness in enumerate((0.5, 0.25)):
        ladder.add(finished_at(number, 0, fitness))
    assert ladder.promote(9) is None
    assert ladder.promote_last(9) == (1, (1,))
    assert ladder.promote_last(9) is None
    ladder.add(finished_at(1, 1, 0.125))
    assert ladder.promote(9) is None
    assert ladder.promote_last(9) == (2, (1,))
    ladder.add(finished_at(1, 2, 0.1))
    assert ladder.promote_last(9) is None


def test_without_a_race_nobody_goes_on() -> None:
    ladder = SteadyLadder(Ladder((7,)), population=3, generations=2)
    for number in range(6):
        ladder.add(finished_at(number, 0, float(number)))
    assert ladder.promote(1) is None
    assert ladder.promote_last(1) is None
