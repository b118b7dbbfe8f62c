"""The gallery: one HTML file that opens from disk and needs nothing beside it, for one run or several."""

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from kdzero_gp.drawing import palette
from kdzero_gp.errors import StoreError
from kdzero_gp.gallery.card_maker import CardMaker, Probe, Progress
from kdzero_gp.gallery.chosen import MOST_BROWSED, Key
from kdzero_gp.gallery.json_block import json_block
from kdzero_gp.gallery.run_data import run_data
from kdzero_gp.gallery.run_view import BEST, read_run
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.store import RunStore
from kdzero_gp.untrusted import printable
from kdzero_gp.whole_file import write_whole

SCRIPTS = (
    "elements",
    "text_form",
    "difference",
    "formula",
    "drawing",
    "chart",
    "run",
    "cards",
    "overview",
    "table",
    "card",
    "lineage",
    "operations",
    "compare",
    "app",
)
"""The page's script, file by file in the order in which they build on each other."""


def write_gallery(store: RunStore, *, best: int = BEST, registry: Mapping[str, Operation] | None = None) -> Path:
    """Writes `gallery/index.html` into a run's folder, in place of an earlier one; quickly, as a run does at its end.

    Args:
        store: the run, finished or not; a store opened for reading will do.
        best: number of distillers that count as the best; they, the front, the final table and all ancestors are
            drawn first.
        registry: the operations of the run's distillers, by default all that are registered.

    Returns:
        The file.

    Raises:
        StoreError: the run cannot be read, or the file cannot be written.
    """
    return write_page([_quick_data(store, best, registry)], store.folder / "gallery")


def write_galleries(
    folders: Sequence[Path],
    out: Path | None = None,
    *,
    named: Sequence[Key] = (),
    most: int = MOST_BROWSED,
    probe_of: Callable[[RunStore], Probe] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Writes the gallery of one run, or of several that are compared side by side, with every distiller drawn.

    Args:
        folders: run folders, which are only read.
        out: where `index.html` goes; by default `gallery` in the run's folder, or here for several runs.
        named: distillers to be drawn first.
        most: distillers of each run that are drawn at most.
        probe_of: gives what measures the nodes of a run's distillers; without it, those are shown that the run kept.
        progress: follows the drawing.

    Raises:
        StoreError: a run cannot be read, or the file cannot be written.
        KdzeroError: from `probe_of`.
    """
    registry = active_registry()
    runs = []
    for folder in folders:
        with RunStore.read(folder) as store:
            cards = CardMaker(registry, probe_of(store) if probe_of is not None else None)
            run = read_run(store)
            runs.append(run_data(run, cards, registry=registry, most=most, named=named, python=True, progress=progress))
    default = Path(folders[0]) / "gallery" if len(folders) == 1 else Path("gallery")
    return write_page(runs, out or default)


def _quick_data(store: RunStore, best: int, registry: Mapping[str, Operation] | None) -> dict[str, Any]:
    registry = active_registry() if registry is None else registry
    return run_data(read_run(store, best=best), CardMaker(registry), registry=registry)


def write_page(runs: Sequence[Mapping[str, Any]], folder: Path) -> Path:
    """Writes `index.html` into a folder, which is made if need be.

    Raises:
        StoreError: the folder or the file cannot be written.
    """
    text = page({"runs": runs})
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot create {folder}: {error.strerror}. Mend that, then try again") from error
    path = folder / "index.html"
    write_whole(path, [text], then="try again")
    return path


def render_page(store: RunStore, *, best: int = BEST, registry: Mapping[str, Operation] | None = None) -> str:
    """Renders the HTML of one run; arguments as for `write_gallery`."""
    return page({"runs": [_quick_data(store, best, registry)]})


def page(data: Mapping[str, Any] | None) -> str:
    """Renders the page around some data; None makes the live page, which asks its own server for `data.json`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kdzero_gp.gallery"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = page_script()
    colours = {"colours": palette.ALL, "student": palette.STUDENT, "teacher": palette.TEACHER}
    style = environment.get_template("page.css").render(colours)
    names = [run["name"] for run in data["runs"]] if data else []
    return environment.get_template("index.html").render(
        title=printable(", ".join(names), limit=120) or "live",
        live=data is None,
        data=Markup(json_block(data)),
        style=Markup(style),
        script=Markup(script),
        script_hash=script_hash(script),
    )


def page_script() -> str:
    """Joins the page's JavaScript, which holds no data of a run."""
    folder = files("kdzero_gp.gallery").joinpath("templates")
    parts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS]
    return '"use strict";\n' + "\n".join(parts)


def script_hash(script: str) -> str:
    """Computes the hash by which the page's policy allows exactly this script."""
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
