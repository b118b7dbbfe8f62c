"""The figures: their numbers, their bytes, and text that tries to be more than text."""

import xml.etree.ElementTree as ElementTree

import matplotlib

from kdzero_gp.gallery.curves import fitness_figure, funnel_figure, table_figure
from kdzero_gp.gallery.run_view import Generation, Row

ARMS = {
    "evolve": [Generation(0, 2.0, 3.0, 2.5, 3.5), Generation(1, 2.2, 2.9, 2.4, 3.4), Generation(2, 1.5, 2, 1.7, 2.2)],
    "random": [Generation(0, 2.1, None, None, None), Generation(1, None, 3.0, 2.0, 4.0)],
}


def row(name: str = "kd", **changes: object) -> Row:
    values = {"kind": "method", "tree": None, "accuracy": (94.0, 95.0), "mean": 94.5, "std": 0.5, "gain": 1.0}
    return Row(name=name, **(values | {"p_value": None, "fitness": None} | changes))  # type: ignore[arg-type]


def test_figures_are_well_formed_named_and_the_same_every_time() -> None:
    for make in (
        lambda: fitness_figure(ARMS),
        lambda: funnel_figure({"evolve": {"proposed": 10, "trained": 3}, "random": {"proposed": 9, "odd": 1}}),
        lambda: table_figure([row(), row("student alone", kind="alone", std=None)]),
    ):
        text = make()
        assert text is not None
        assert text == make()
        root = ElementTree.fromstring(text)
        assert root.get("aria-label")
        assert not {"style", "metadata"} & {element.tag.rpartition("}")[2] for element in root.iter()}


def test_the_labels_say_the_numbers() -> None:
    assert "evolution ends at 1.5, random search ends at 2.1" in (fitness_figure(ARMS) or "")
    assert "proposed 10, trained 3" in (funnel_figure({"evolve": {"proposed": 10, "trained": 3}}) or "")
    assert "kd 94.50 %" in (table_figure([row()]) or "")


def test_nothing_to_show_gives_none() -> None:
    assert fitness_figure({}) is None
    assert fitness_figure({"evolve": [Generation(0, None, None, None, None)]}) is None
    assert funnel_figure({}) is None
    assert table_figure([row(mean=None)]) is None


def test_hostile_names_are_text() -> None:
    for name in ("$\\frac{$", "</svg><script>", "\x00\u202e", "\U0001f600 漢字", "_a^b$"):
        for text in (table_figure([row(name)]), funnel_figure({"evolve": {name: 1}})):
            assert text is not None
            assert "script" not in {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(text).iter()}


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    fitness_figure(ARMS)
    assert dict(matplotlib.rcParams) == before
