"""The live view: a search goes on, and the page shows it without being loaded again."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdzero_gp.browse import live_data
from kdzero_gp.browse.live import LiveServer
from kdzero_gp.store import RunStore
from kdzero_gp.store.schema import DATABASE_NAME
from tests.browser.browser import Browser


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(tmp_path / "run", {"pop": 4}) as opened:
        yield opened


@pytest.fixture
def server(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    monkeypatch.setattr(live_data, "SHORTEST", 0.0)
    monkeypatch.setattr(live_data, "PATIENCE", 0.0)
    with LiveServer([store.folder]) as opened:
        thread = threading.Thread(target=opened.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield opened
        opened.shutdown()
        thread.join()


def test_news_appear_without_reloading(
    browser: Browser, server: LiveServer, store: RunStore, fill: Callable[..., None]
) -> None:
    fill(store, 0, "weight(1, l1(pool))", 2.0)
    browser.errors()
    browser.open(server.url)
    browser.until(lambda: "run has 1 evaluations" in browser.text("#live"))
    browser.run("window.sameWindow = true")
    browser.go("#/0/distillers")
    browser.run("document.querySelector('[aria-label=\"Filter Number\"]').focus()")
    fill(store, 1, "weight(1, l2(pool))", 1.0)
    store.put_generation("evolve", 0, {"best": 1.0, "median": 1.5, "quartiles": [1.0, 2.0]})
    browser.until(lambda: browser.text("main [role=status]").startswith("2 of 2"))
    assert browser.run("return document.activeElement.getAttribute('aria-label')") == "Filter Number"
    browser.go("#/0/overview")
    browser.until(lambda: browser.all(".chart"))
    assert browser.run("return window.sameWindow") is True
    assert browser.errors() == []


def test_a_run_that_breaks_is_said_and_comes_back(
    browser: Browser, server: LiveServer, store: RunStore, fill: Callable[..., None]
) -> None:
    fill(store, 0, "weight(1, l1(pool))", 2.0)
    store.close()
    whole = (store.folder / DATABASE_NAME).read_bytes()
    browser.open(server.url)
    browser.until(lambda: "1 evaluations" in browser.text("#live"))
    (store.folder / DATABASE_NAME).write_bytes(whole[:3000])
    browser.until(lambda: "cannot be read" in browser.text("#live"))
    assert "weight(1, l1(pool))" in browser.text("main")
    (store.folder / DATABASE_NAME).write_bytes(whole)
    browser.until(lambda: "1 evaluations" in browser.text("#live"))
