"""Pictures: well-formed, the same bytes every time, with nothing of a machine in them."""

import builtins
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kdzero_gp.drawing.best import write_best
from kdzero_gp.drawing.render import png, render, svg
from kdzero_gp.errors import KdzeroError
from kdzero_gp.grammar.tree import Tree

SVG = "{http://www.w3.org/2000/svg}"


def test_svg_is_well_formed_named_and_free_of_versions_and_identifiers(example: Tree) -> None:
    text = svg(example, calibration=[1, 2], aligned=["stage2"])
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert str(example) in root.get("aria-label", "")
    assert "graphviz" not in text.lower()
    assert "<!--" not in text
    assert "xlink" not in text
    assert not any("id" in element.attrib for element in root.iter())


def test_every_node_says_on_hover_what_it_computes(example: Tree) -> None:
    titles = [title.text or "" for title in ElementTree.fromstring(svg(example)).iter(f"{SVG}title")]
    for node in example.root.walk():
        if node.kind != "constant":
            assert any(title.partition("\n")[0] == node.text for title in titles)


def test_text_is_centred_in_its_node(example: Tree) -> None:
    for group in ElementTree.fromstring(svg(example)).iter(f"{SVG}g"):
        if "kind-distance" in group.get("class", ""):
            ellipse = group.find(f"{SVG}ellipse")
            assert ellipse is not None
            for text in group.findall(f"{SVG}text"):
                assert (text.get("text-anchor"), text.get("x")) == ("middle", ellipse.get("cx"))


def test_the_same_tree_gives_the_same_bytes(example: Tree, tmp_path: Path) -> None:
    first = svg(example), png(example, tmp_path / "a.png").read_bytes()
    second = svg(example), png(example, tmp_path / "b.png").read_bytes()
    assert first == second
    assert first[1].startswith(b"\x89PNG")


def test_another_process_gives_the_same_bytes_and_a_quiet_standard_error() -> None:
    source = "digraph { a [label=<<B>ab</B>>]; b [label=cd]; a -> b }"
    code = (
        f"import sys\nfrom kdzero_gp.drawing.render import render\nsys.stdout.buffer.write(render({source!r}, 'svg'))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert run.stdout == render(source, "svg")
    assert run.stderr == b""


@pytest.mark.parametrize("title", ["</svg><script>alert(1)</script>", "\x00\x08 \ud800 \u202e", "&lt; <b> \\N \\"])
def test_hostile_titles_are_text(example: Tree, title: str) -> None:
    root = ElementTree.fromstring(svg(example, title=title, tap_notes={"stage2": title}))
    assert {element.tag for element in root.iter()} <= {
        SVG + t for t in ("svg", "g", "title", "path", "polygon", "ellipse", "text")
    }


def test_drawings_from_several_threads(read: Callable[[str], Tree]) -> None:
    trees = [read(f"weight({i}, l1(satt(stage{i})))") for i in range(1, 5)]
    expected = [svg(tree) for tree in trees]
    found: dict[int, str] = {}

    def draw(place: int) -> None:
        for _ in range(5):
            found[place] = svg(trees[place])

    threads = [threading.Thread(target=draw, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[place] for place in range(4)] == expected


def test_without_pygraphviz_the_error_names_the_way_out(example: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "pygraphviz":
            raise ImportError("libgvc.so is missing")
        return original(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(KdzeroError, match=r"libgvc.so is missing.*pip install"):
        svg(example)


def test_source_that_graphviz_refuses_and_a_path_that_cannot_be_written(example: Tree, tmp_path: Path) -> None:
    with pytest.raises(KdzeroError, match="Graphviz cannot draw"):
        render("digraph { a -> ", "svg")
    with pytest.raises(KdzeroError, match="give another path"):
        png(example, tmp_path / "none" / "a.png")


def test_write_best(example: Tree, tmp_path: Path) -> None:
    written = write_best(tmp_path, example, calibration=[0.5, 2.0], aligned=["stage2"])
    assert [path.name for path in written] == ["best.gv", "best.svg", "best.png"]
    assert "calibration × 0.5" in written[0].read_text(encoding="utf-8")
    ElementTree.parse(written[1])
    before = [path.read_bytes() for path in written]
    assert [
        path.read_bytes() for path in write_best(tmp_path, example, calibration=[0.5, 2.0], aligned=["stage2"])
    ] == before
    with pytest.raises(KdzeroError):
        write_best(tmp_path / "none", example)
