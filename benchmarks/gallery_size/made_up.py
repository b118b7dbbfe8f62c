"""A run of many evaluations that was made up, without any training."""

import random
from pathlib import Path

from kdzero_gp import random_tree
from kdzero_gp.store import Evaluation, Proposal, RunStore

GENERATION = 200
"""Proposals of a generation of the made-up run."""


def make_run(folder: Path, count: int, seed: int) -> RunStore:
    """A run of this many evaluations; nine in ten have a fitness, one in twenty a traceback."""
    rng = random.Random(seed)
    store = RunStore.create(folder, {"pop": GENERATION, "teacher": "teacher", "student": "student"})
    for number in range(count):
        generation = number // GENERATION
        before = range(max(0, (generation - 1) * GENERATION), generation * GENERATION)
        parents = tuple(rng.sample(before, 2)) if generation else ()
        text = str(random_tree(rng, max_depth=7, max_size=30))
        operator = rng.choice(["crossover", "node", "constant", "subtree"]) if generation else "random"
        proposal = Proposal(number, generation, "evolve", operator, parents, text, text, 0)
        store.record(proposal, _evaluation(rng, text, number))
        if number % GENERATION == GENERATION - 1:
            best, funnel = 1.0 / (1 + generation), {"proposed": GENERATION}
            store.put_generation(
                "evolve",
                generation,
                {"best": best, "median": 1.0, "quartiles": [0.8, 1.3], "diversity": 0.5, "funnel": funnel},
            )
    return store


def _evaluation(rng: random.Random, text: str, number: int) -> Evaluation:
    seconds, seed = rng.uniform(0.1, 3), rng.getrandbits(60)
    kind = number % 20
    if kind == 0:
        frames = "".join(f'  File "candidate.py", line {rng.randrange(999)}, in step\n' for _ in range(12))
        error = f"Traceback (most recent call last):\n{frames}RuntimeError: candidate {number}"
        return Evaluation("error", None, None, {}, (), None, 0, seed, seconds, "host", error)
    if kind == 1:
        return Evaluation("rejected", "no_gradient", None, {}, (), None, 0, seed, seconds, "host", None)
    names = ("ce", "tempered_ce", "sharpness_gap", "cka_gap", "accuracy")
    parts = {name: rng.random() for name in names}
    factors = tuple(rng.lognormvariate(0, 2) for _ in range(text.count("weight(")))
    return Evaluation("ok", None, rng.lognormvariate(0, 0.5), parts, factors, "f", 45, seed, seconds, "host", None)
