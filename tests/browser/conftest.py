"""A headless Chromium, one for each module, and galleries for it to look at."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.gallery.page import write_gallery
from kdzero_gp.store import Evaluation, Proposal, RunStore
from tests.browser.browser import Browser, start_browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    pytest.importorskip("selenium", reason="needs selenium, which the dev extra brings")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs Chromium and its driver (Debian: apt-get install chromium chromium-driver)")
    started = start_browser(program, driver, root=os.geteuid() == 0)
    yield started
    started.quit()


def add(store: RunStore, number: int, tree: str, fitness: float | None, **changes: Any) -> None:
    """Records one evaluation."""
    proposal = {"generation": 0, "arm": "evolve", "operator": "random", "parents": (), "rung": 0}
    evaluation = {"stage": None, "parts": {"ce": 0.5}, "calibration": (0.5,), "fingerprint": None, "steps": 1}
    evaluation |= {"seed": 0, "seconds": 0.1, "host": "h", "error": None, "status": "ok" if fitness else "error"}
    for name, value in changes.items():
        (proposal if name in proposal else evaluation)[name] = value
    store.record(
        Proposal(number=number, tree=tree, canonical=tree, **proposal),  # type: ignore[arg-type]
        Evaluation(fitness=fitness, **evaluation),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def fill() -> Callable[..., None]:
    return add


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 distillers over six generations, failures and a final table among them."""
    with RunStore.create(tmp_path_factory.mktemp("runs") / "run", {"pop": 50, "teacher": "t", "student": "s"}) as store:
        for number in range(300):
            generation, tap = number // 50, ("pool", "logits")[number % 2]
            tree = f"weight({number + 1}, {('l1', 'l2', 'smooth_l1')[number % 3]}({tap}))"
            parents = () if number < 50 else (number - 50, number - 49)
            operator = "random" if not parents else ("crossover", "node")[number % 2]
            options: dict[str, Any] = {"generation": generation, "operator": operator, "parents": parents}
            if number % 10 == 9:
                error = f"Traceback (most recent call last):\n  line {number}\nRuntimeError: out of luck"
                add(store, number, tree, None, error=error, **options)
            else:
                add(store, number, tree, 5.0 - number / 100, **options)
        add(store, 0, "weight(1, l1(logits))", 2.5, arm="random")
        for generation in range(6):
            stats: dict[str, Any] = {
                "best": 5.0 - generation / 2,
                "median": 5.0,
                "quartiles": [4.8, 5.2],
                "diversity": 0.5,
            }
            funnel = {"proposed": 60, "duplicate": 5, "trained": 45, "error": 5}
            weights = {"l2": 0.5**generation}
            store.put_generation("evolve", generation, stats | {"funnel": funnel, "weights": weights})
        row: dict[str, Any] = {
            "name": "evolved 1",
            "kind": "evolved",
            "tree": "weight(299, l2(pool))",
            "accuracy": [0.95, 0.97],
        }
        store.put_result("final", {"rows": [row | {"mean": 0.96, "std": 0.01, "gain": 0.02}], "split": "test"})
        store.put_result("leaders/evolve", [{"number": 298, "fitness": 1.0}])
        store.put_result("readings", {"weight(299, l2(pool))": {"pool": [1.5, 0.25, "live"]}})
        return write_gallery(store)
