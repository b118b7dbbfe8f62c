"""`python -m kdzero_gp.browse RUN [RUN …]`: look at what a search found, or watch it while it runs."""

import sys
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kdzero_gp.console.command import errors_told
from kdzero_gp.console.options import takes
from kdzero_gp.errors import ConfigError
from kdzero_gp.gallery.chosen import MOST_BROWSED
from kdzero_gp.pair.stored import StoredPairOptions

if TYPE_CHECKING:
    from kdzero_gp.gallery.card_maker import Probe
    from kdzero_gp.store import RunStore

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@takes(StoredPairOptions)
def browse(
    *,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN [RUN …]", help="Run folders; several are compared.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of index.html (default RUN/gallery; for several runs ./gallery).")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Serve a page that follows the runs; Ctrl-C ends it.")] = False,
    host: Annotated[str, typer.Option(help="Address of the live view; others than this one reach beyond here.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the live view; 0 takes a free one.")] = 8000,
    draw: Annotated[
        list[str] | None, typer.Option(help="Draw this distiller first, such as evolve/303; may be repeated.")
    ] = None,
    draw_most: Annotated[
        int, typer.Option(min=1, help="Distillers of a run that are drawn at most; all, where there are fewer.")
    ] = MOST_BROWSED,
    primitives: Annotated[
        list[Path] | None, typer.Option(help="Python file with primitives of the run; may be repeated.")
    ] = None,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe",
            help="Show value and gradient at every node of every distiller drawn: the pair is put together again, and "
            "a teacher that the run has trained is trained again if the cache no longer has it.",
        ),
    ] = False,
    options: dict[str, Any],
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Write the gallery of a run, or of several side by side: one HTML file that needs no server and no network.

    Run folders are only read. What they name of your own, primitives and with --probe networks, is not loaded by
    itself, since loading runs it: name what you trust by --primitives, --teacher and --student.
    """
    with errors_told():
        _load_primitives(primitives or [])
        probe_of = _probe_of(probe, options, primitives or [])
        if live:
            _serve(runs, host, port, probe_of, open_=open_)
        else:
            _write(runs, out, draw or [], draw_most, probe_of, open_=open_)


def _load_primitives(files: list[Path]) -> None:
    from kdzero_gp.grammar.registry import active_registry

    for file in files:
        active_registry().load_file(file)


def _probe_of(wanted: bool, chosen: dict[str, Any], primitives: Sequence[Path]) -> "Callable[[RunStore], Probe] | None":
    if wanted:
        from kdzero_gp.browse.probe import run_probe

        return partial(run_probe, primitives=primitives, **chosen)
    for name, value in chosen.items():
        option = f"--{name.replace('_', '-')}"
        raise ConfigError(f"{option} {value} is of use for --probe alone; add --probe or leave {option} out")
    return None


def _write(
    runs: list[Path],
    out: Path | None,
    draw: list[str],
    most: int,
    probe_of: "Callable[[RunStore], Probe] | None",
    *,
    open_: bool,
) -> None:
    from kdzero_gp.gallery.chosen import parse_key
    from kdzero_gp.gallery.page import write_galleries

    named = [parse_key(text) for text in draw]
    progress = _count if sys.stderr.isatty() else None
    path = write_galleries(runs, out, named=named, most=most, probe_of=probe_of, progress=progress)
    typer.echo(f"gallery: {path}")
    if open_:
        webbrowser.open(path.absolute().as_uri())


def _count(what: str, done: int, total: int) -> None:
    """Shows one line that counts, without a thread, since drawing forks over the cores."""
    if done == total or done % 20 == 0:
        typer.echo(f"\r{what}: {done} of {total}", err=True, nl=done == total)


def _serve(
    runs: list[Path], host: str, port: int, probe_of: "Callable[[RunStore], Probe] | None", *, open_: bool
) -> None:
    from kdzero_gp.browse.live import LiveServer

    with LiveServer(runs, host=host, port=port, probe_of=probe_of) as server:
        typer.echo(f"live view: {server.url} (Ctrl-C ends it)")
        if open_:
            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            typer.echo("the live view has ended")


if __name__ == "__main__":
    app()
