"""How the figures look, and the files they are written to."""

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from kdzero_gp.errors import StoreError
from kdzero_gp.plot.files import Numbers, csv_text, write_figure
from kdzero_gp.plot.style import ALONE, EVOLVED, METHODS, grid_of, lines, printed

NUMBERS = Numbers(("label", "value", "seeds"), [("kd, alone", 1 / 3, 2), ("a\x00b", None, 0)])


def luminance(colour: str) -> float:
    """WCAG's relative luminance."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [ALONE, EVOLVED, *(line.colour for line in METHODS)])
def test_every_line_stands_out_on_white(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 3


def test_lines_are_told_apart_without_colour() -> None:
    found = lines(["alone", *["method"] * len(METHODS), "evolved", "evolved"])
    assert len({(line.marker, line.dashes) for line in found}) == len(found)


def test_panels_are_shared_out_evenly() -> None:
    assert [grid_of(count) for count in (1, 3, 4, 5, 8, 9)] == [(1, 1), (1, 3), (1, 4), (2, 3), (2, 4), (3, 3)]


def test_settings_are_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 23.0)
    before = dict(matplotlib.rcParams)
    with printed():
        assert matplotlib.rcParams["font.size"] == 9
        assert matplotlib.rcParams["text.parse_math"] is False
    assert dict(matplotlib.rcParams) == before


def a_figure(title: str) -> Figure:
    with printed():
        figure = Figure(figsize=(2, 1))
        figure.add_subplot().set_title(title)
    return figure


def test_the_same_figure_gives_the_same_bytes_and_every_text_stays_text(tmp_path: Path) -> None:
    hostile = "$\\frac{$ </svg><script> \u202e"
    first, second = (write_figure(tmp_path / n, "a", a_figure(hostile), NUMBERS, title=hostile) for n in "12")
    for one, other in zip((first.svg, first.png, first.csv), (second.svg, second.png, second.csv), strict=True):
        assert one.read_bytes() == other.read_bytes()
    root = ElementTree.fromstring(first.svg.read_text())
    assert "script" not in {element.tag.rpartition("}")[2] for element in root.iter()}
    assert b"20" + b"26-" not in first.svg.read_bytes(), "a date"
    assert first.png.read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["a.csv", "a.png", "a.svg"]


def test_the_csv_reads_back() -> None:
    rows = list(csv.reader(csv_text(NUMBERS).splitlines()))
    assert rows == [["label", "value", "seeds"], ["kd, alone", "0.3333333", "2"], ["a\\x00b", "", "0"]]


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError, match=r"cannot create .*taken"):
        write_figure(tmp_path / "taken", "a", a_figure("b"), NUMBERS, title="c")
