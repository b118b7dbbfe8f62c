"""The gallery's page: for whole, unfinished, empty, failed and hostile runs."""

import base64
import hashlib
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kdzero_gp.errors import StoreError
from kdzero_gp.gallery import render_page, write_gallery
from kdzero_gp.grammar.registry import Registry
from kdzero_gp.store import RunStore

EXAMPLE = "add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(norm_n(scale_r2(catt(stage2)))))))"
HOSTILE = '</pre></script><script>alert(1)</script><img src=x onerror="alert(2)">&{{ 7*7 }}{% x %}'
VOID = {"meta", "link", "br", "img", "hr", "input"}
Recorder = Callable[..., None]


class Page(HTMLParser):
    """Elements, text and balance of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        self.words += data


def checked(text: str) -> Page:
    """What must hold for every page: balanced, self-contained, one script of ours, identifiers used once."""
    page = Page(text)
    assert not page.open
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1
    assert not {"img", "link", "iframe", "object", "base", "form"} & set(tags)
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
        if tag == "svg":
            assert attributes.get("aria-label")
        for name in ("aria-labelledby", "data-copy"):
            assert attributes.get(name) is None or attributes[name] in identifiers
    assert not re.search(r"url\(\s*['\"]?(?!#)", text)
    return page


def fill(store: RunStore, record: Recorder) -> None:
    for number, tree in enumerate([EXAMPLE, "weight(100, l2(satt(stage3)))", "weight(1, l1(pool))"]):
        record(number, tree, 3.0 - number, calibration=(0.5,) * tree.count("weight("), generation=number)
    for arm in ("evolve", "random"):
        for generation in range(3):
            stats = {"best": 3.0 - generation, "median": 4.0, "quartiles": [3.5, 4.5], "funnel": {"proposed": 5}}
            store.put_generation(arm, generation, stats)
    rows = [
        {
            "name": "evolved 1",
            "kind": "evolved",
            "tree": EXAMPLE,
            "accuracy": [0.95, 0.96],
            "mean": 0.955,
            "std": 0.007,
        },
        {"name": "kd", "kind": "method", "tree": None, "accuracy": [0.97], "mean": 0.97, "std": 0.0, "gain": 0.08},
    ]
    store.put_result("final", {"rows": rows, "seeds": [0, 1], "split": "test", "epochs": 3, "baseline": "kd"})
    summary = {"pair": "cnn32 -> cnn2", "data": "digits", "teacher_accuracy": 0.982, "shapes": SHAPES}
    store.put_result("summary", summary)


SHAPES = {
    "student": {"stage1": [2, 2, 8, 8], "stage2": [2, 4, 4, 4], "logits": [2, 10]},
    "teacher": {"stage1": [2, 8, 8, 8], "stage2": [2, 16, 4, 4], "logits": [2, 10]},
}


def test_a_whole_run(store: RunStore, record: Recorder, stand_ins: Registry) -> None:
    fill(store, record)
    path = write_gallery(store, registry=stand_ins)
    assert path == store.folder / "gallery" / "index.html"
    page = checked(path.read_text(encoding="utf-8"))
    for words in ("cnn32 -> cnn2", "98.20 %", "95.50", "+8.00", EXAMPLE, "learned aligner", "calibration × 0.5"):
        assert words in page.words
    # by fitness: the one recorded last is the best
    assert page.words.index("1. Distiller 2") < page.words.index("2. Distiller 1") < page.words.index("3. Distiller 0")
    # the evolved one is not first in the table, and the page says so
    assert "Highest mean test accuracy: kd" in page.words


def test_the_same_run_gives_the_same_bytes_also_when_read_only(
    store: RunStore, record: Recorder, stand_ins: Registry
) -> None:
    fill(store, record)
    first = write_gallery(store, registry=stand_ins).read_bytes()
    with RunStore.read(store.folder) as again:
        assert write_gallery(again, registry=stand_ins).read_bytes() == first


def test_the_policy_allows_exactly_the_script_of_the_page(store: RunStore) -> None:
    text = render_page(store)
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}" in text or f"script-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_an_empty_run(store: RunStore) -> None:
    assert "nothing has been evaluated yet" in checked(render_page(store)).words


def test_an_unfinished_run(store: RunStore, record: Recorder, stand_ins: Registry) -> None:
    record(0, EXAMPLE, 1.0)
    page = checked(render_page(store, registry=stand_ins))
    assert "no final table yet" in page.words
    assert "1. Distiller 0" in page.words


def test_a_run_in_which_every_candidate_failed(store: RunStore, record: Recorder) -> None:
    for number in range(8):
        record(number, EXAMPLE, error=f"Traceback {HOSTILE}")
    page = checked(render_page(store))
    assert "Every candidate failed" in page.words
    assert "evolution 8 error" in page.words
    assert HOSTILE in page.words


def test_hostile_text_everywhere_is_text(store: RunStore, record: Recorder, stand_ins: Registry) -> None:
    record(0, HOSTILE, 1.0, operator=HOSTILE, parts={HOSTILE: float("nan")}, arm=HOSTILE)
    record(1, HOSTILE + "\x00\u202e\ud800", 1.0, parts={"ce": float("inf")})
    record(2, "(" * 200_000, 1.5)
    rows = [{"name": HOSTILE, "kind": HOSTILE, "tree": HOSTILE, "mean": 0.5, "accuracy": [HOSTILE, None, 0.5]}, HOSTILE]
    store.put_result("final", {"rows": rows, "seeds": HOSTILE, "split": [HOSTILE], "epochs": {HOSTILE: HOSTILE}})
    store.put_result(
        "summary", {"pair": HOSTILE, "versions": {HOSTILE: HOSTILE}, "shapes": {"student": {HOSTILE: [HOSTILE]}}}
    )
    store.put_generation("evolve", 0, {"best": 1.0, "quartiles": HOSTILE, "funnel": {HOSTILE: 3, "nan": HOSTILE}})
    text = render_page(store, registry=stand_ins)
    page = checked(text)
    assert HOSTILE in page.words
    assert "\u202e" not in text
    assert "No drawing" in page.words


@pytest.mark.parametrize("value", [None, [], 3, "x", {"rows": 3}, {"rows": [None, 3, {}]}, {"rows": [{"mean": "nan"}]}])
def test_results_of_another_form_do_not_break_the_page(store: RunStore, value: object) -> None:
    store.put_result("final", value)  # type: ignore[arg-type]
    store.put_result("summary", value)  # type: ignore[arg-type]
    for stats in ({}, {"best": "low", "funnel": 3}, {"median": 10**400, "quartiles": [1]}):
        store.put_generation("evolve", 0, stats)
        checked(render_page(store))


def test_one_card_for_one_canonical_form_longest_trained_first(
    store: RunStore, record: Recorder, stand_ins: Registry
) -> None:
    record(0, "weight(1, l1(pool))", 1.0)
    record(1, "weight(1, l1(pool))", 2.0, rung=1)
    record(2, "weight(1, l2(pool))", 0.5)
    record(3, "weight(1, l2(logits))", 0.1, arm="random")
    page = checked(render_page(store, registry=stand_ins))
    assert re.findall(r"\d\. Distiller (\d)", page.words) == ["1", "2"]
    assert re.findall(r"\d\. Distiller (\d)", Page(render_page(store, best=1, registry=stand_ins)).words) == ["1"]


def test_a_gallery_that_cannot_be_written(store: RunStore) -> None:
    Path(store.folder / "gallery").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="gallery"):
        write_gallery(store)
