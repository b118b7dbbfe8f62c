"""`python -m kdzero_gp.browse RUN [RUN …]`: look at what a search found, or watch it while it runs."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from kdzero_gp.errors import EXIT_CODE, KdzeroError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def browse(
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
        list[str] | None, typer.Option(help="Draw this distiller too, such as evolve/303; may be repeated.")
    ] = None,
    primitives: Annotated[
        list[Path] | None, typer.Option(help="Python file with primitives of the run; may be repeated.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
) -> None:
    """Write the gallery of a run, or of several side by side: one HTML file that needs no server and no network.

    Run folders are only read. The files of primitives that a run was made with are not loaded by themselves, since
    loading runs them: name those you trust by --primitives.
    """
    try:
        _load_primitives(primitives or [])
        if live:
            _serve(runs, host, port, open_=open_)
        else:
            _write(runs, out, draw or [], open_=open_)
    except KdzeroError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_CODE) from None


def _load_primitives(files: list[Path]) -> None:
    from kdzero_gp.grammar.registry import active_registry

    for file in files:
        active_registry().load_file(file)


def _write(runs: list[Path], out: Path | None, draw: list[str], *, open_: bool) -> None:
    from kdzero_gp.gallery import write_galleries
    from kdzero_gp.gallery.chosen import parse_key

    path = write_galleries(runs, out, named=[parse_key(text) for text in draw])
    typer.echo(f"gallery: {path}")
    if open_:
        webbrowser.open(path.absolute().as_uri())


def _serve(runs: list[Path], host: str, port: int, *, open_: bool) -> None:
    from kdzero_gp.gallery.live import LiveServer

    with LiveServer(runs, host=host, port=port) as server:
        typer.echo(f"live view: {server.url} (Ctrl-C ends it)")
        if open_:
            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            typer.echo("the live view has ended")


if __name__ == "__main__":
    app()
