"""A run's gallery: one HTML file that opens from disk and needs nothing beside it."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from kdzero_gp.errors import StoreError
from kdzero_gp.gallery import palette
from kdzero_gp.gallery.card import Card, make_card
from kdzero_gp.gallery.curves import fitness_figure, funnel_figure, table_figure
from kdzero_gp.gallery.formula import formula_svg
from kdzero_gp.gallery.plain_text import printable
from kdzero_gp.gallery.run_view import ARMS, read_run
from kdzero_gp.grammar.operation import Operation
from kdzero_gp.store import RunStore
from kdzero_gp.store.run_folder import write_whole


def write_gallery(store: RunStore, *, best: int = 12, registry: Mapping[str, Operation] | None = None) -> Path:
    """Writes `gallery/index.html` into a run's folder, in place of an earlier one.

    Args:
        store: the run, finished or not; a store opened for reading will do.
        best: number of distillers to show as cards.
        registry: the operations of the run's distillers, by default all that are registered.

    Returns:
        The file.

    Raises:
        StoreError: the run cannot be read, or the file cannot be written.
    """
    folder = store.folder / "gallery"
    text = render_page(store, best=best, registry=registry)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot create {folder}: {error.strerror}. Mend that, then try again") from error
    path = folder / "index.html"
    write_whole(path, [text], then="try again")
    return path


def render_page(store: RunStore, *, best: int = 12, registry: Mapping[str, Operation] | None = None) -> str:
    """The gallery's HTML; arguments as for `write_gallery`."""
    run = read_run(store, best=best)
    cards = [make_card(p, e, shapes=run.shapes, registry=registry) for p, e in run.best]
    environment = _environment()
    script = environment.get_template("page.js").render()
    return environment.get_template("index.html").render(
        run=run,
        cards=cards,
        arms=ARMS,
        fitness=_markup(fitness_figure(run.generations)),
        funnel=_markup(funnel_figure(run.funnel)),
        table=_markup(table_figure(run.final.rows)) if run.final else None,
        legend=_legend(cards),
        palette=palette,
        style=Markup(environment.get_template("page.css").render(colours=palette.ALL)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("kdzero_gp.gallery"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    environment.filters["fixed"] = _fixed
    return environment


def _shown(value: Any) -> Any:
    """Every value on its way into the page: our own markup as it is, other text without unfit characters."""
    if isinstance(value, Markup):
        return value
    return "–" if value is None else printable(str(value))


def _fixed(value: float | None, digits: int = 2, sign: bool = False) -> str:
    if value is None:
        return "–"
    return f"{value:+.{digits}f}".replace("-", "−") if sign else f"{value:.{digits}f}"


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)


def _legend(cards: list[Card]) -> list[tuple[Operation, Markup | None]]:
    """The operations on the page with their formulas, by name."""
    used = {operation.name: operation for card in cards for operation in card.operations}
    return [
        (used[name], _markup(formula_svg([used[name].formula])) if used[name].formula else None)
        for name in sorted(used)
    ]
