"""The lineage graph: who stands in it, and that its drawing is stable and inert."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

from kdzero_gp.gallery.chosen import latest_by_key
from kdzero_gp.gallery.lineage import lineage, lineage_svg
from kdzero_gp.store import RunStore
from tests.gallery.sample_run import HOSTILE, fill_sample


def test_edges_lead_from_parents_to_children(store: RunStore, record: Callable[..., None]) -> None:
    fill_sample(store, record)
    graph = lineage(latest_by_key(list(store.evaluations())), ("evolve", 3))
    assert {(a[1], b[1]) for a, b in graph.edges} == {(0, 2), (1, 3), (2, 3)}
    assert {key[1]: generation for key, generation in graph.nodes(data="generation")} == {0: 0, 1: 0, 2: 1, 3: 2}


def test_the_drawing_names_every_distiller_and_stays_the_same(store: RunStore, record: Callable[..., None]) -> None:
    fill_sample(store, record)
    record(9, HOSTILE, 0.5, parents=(3,), operator=HOSTILE, generation=3)
    latest = latest_by_key(list(store.evaluations()))
    text = lineage_svg(latest, ("evolve", 9))
    assert text == lineage_svg(latest, ("evolve", 9))
    root = ElementTree.fromstring(text)
    classes = [group.get("class", "") for group in root.iter() if "distiller" in group.get("class", "")]
    assert len(classes) == 5
    assert sum("chosen" in names for names in classes) == 1
    assert not {"script", "img"} & {element.tag.rpartition("}")[2] for element in root.iter()}
