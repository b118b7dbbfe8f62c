"""`python -m kdzero_gp.run`: evolve a distiller for a pair, compare it, draw it, hand it over."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kdzero_gp.console.command import INTERRUPTED, interruptible, make_console, own_output
from kdzero_gp.errors import EXIT_CODE, KdzeroError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def option(text: str, *names: str) -> Any:
    """An option whose default stands in `RunConfig`: None here means that the user did not give it."""
    return typer.Option(*names, help=text, show_default=False)


@app.command()
def run(
    data: Annotated[
        str | None, option("digits (default), cifar10, cifar100, npz:FILE, folder:PATH or imagenet:PATH.")
    ] = None,
    limit: Annotated[int | None, option("Use only the first N training images.")] = None,
    teacher: Annotated[
        str | None, option("Teacher (default cnn32): a name, torchvision:NAME, timm:NAME or package.module:factory.")
    ] = None,
    student: Annotated[str | None, option("Student network (default cnn2), named likewise.")] = None,
    teacher_weights: Annotated[str | None, option("Checkpoint of the teacher; else it is trained once.")] = None,
    teacher_input: Annotated[int | None, option("Side that images are resized to for the teacher.")] = None,
    student_input: Annotated[int | None, option("Side that images are resized to for the student.")] = None,
    teacher_norm: Annotated[
        str | None, option("The teacher's normalisation: data (default), cifar10, cifar100, imagenet, or M,M,M/S,S,S.")
    ] = None,
    taps: Annotated[
        list[str] | None, option("Taps set by hand: stage2=layer2.3, or student:stage2=… for one; may be repeated.")
    ] = None,
    pop: Annotated[int | None, option("Candidates trained in every generation (default 20).")] = None,
    gens: Annotated[int | None, option("Generations after the first (default 25).")] = None,
    seed: Annotated[int | None, option("Seed of the run (default 0): same seed, same run.")] = None,
    algorithm: Annotated[str | None, option("evolve (default) or random, under the same budget.")] = None,
    selection: Annotated[str | None, option("tournament (default) or nsga2 (fitness x size).")] = None,
    max_depth: Annotated[int | None, option("Greatest height of a tree (default 7).")] = None,
    max_size: Annotated[int | None, option("Greatest number of nodes of a tree (default 30).")] = None,
    max_work: Annotated[
        float | None, option("Numbers a distiller may compute, in multiples of those at all taps (default 8; 0: any).")
    ] = None,
    space: Annotated[str | None, option("Operations to draw from: table1 (default) or extended.")] = None,
    calibrate: Annotated[
        str | None, option("gradient (default): terms start with CE's gradient norm; or none.")
    ] = None,
    fitness: Annotated[str | None, option("tempered (default), relative, or eq2, KD-Zero's plain sum.")] = None,
    shrink_space: Annotated[
        bool | None, option("Draw operations of bad carriers less.", "--shrink-space/--no-shrink-space")
    ] = None,
    primitives: Annotated[list[str] | None, option("Python file with primitives of your own; may be repeated.")] = None,
    seed_methods: Annotated[str | None, option("Hand-designed methods to start from, such as kd,at.")] = None,
    mode: Annotated[str | None, option("generational (default), or steady, which keeps all workers busy.")] = None,
    rungs: Annotated[int | None, option("Rungs of the race of candidates; 1 (default) trains all to the end.")] = None,
    eta: Annotated[int | None, option("Of how many at a rung one goes on (default 3).")] = None,
    fuse: Annotated[
        str | None, option("Students in one program: a number (default 1), or auto (default on a GPU).")
    ] = None,
    augment: Annotated[
        str | None, option("none (default), crop-flip, the usual one, or strong, for transformers.")
    ] = None,
    views: Annotated[int | None, option("Views of an image that augmentation makes (default 8).")] = None,
    amp: Annotated[bool | None, option("Students run in bfloat16 under autocast.", "--amp/--no-amp")] = None,
    cache_gb: Annotated[float | None, option("GiB of memory for teacher outputs (default 4); 0 keeps none.")] = None,
    epochs: Annotated[int | None, option("Epochs of a full training.")] = None,
    proxy_epochs: Annotated[int | None, option("Epochs of a candidate's training.")] = None,
    batch_size: Annotated[int | None, option("Images per step.")] = None,
    lr: Annotated[float | None, option("Highest learning rate.")] = None,
    timeout: Annotated[float | None, option("Seconds one candidate may take (default 600).")] = None,
    baselines: Annotated[
        bool | None, option("Compare with student alone, KD and random search.", "--baselines/--no-baselines")
    ] = None,
    final_seeds: Annotated[int | None, option("Fresh seeds of the final table (default 5).")] = None,
    finalists: Annotated[int | None, option("Evolved distillers in the final table (default 3).")] = None,
    leaders: Annotated[int | None, option("Best candidates that are trained in full again (default 10).")] = None,
    leader_seeds: Annotated[int | None, option("Seeds of that, on validation (default 3; 0 skips it).")] = None,
    executor: Annotated[str | None, option("auto (default), inprocess, processes or ray.")] = None,
    ray_address: Annotated[str | None, option("An existing Ray cluster; else one is started here.")] = None,
    workers: Annotated[int | None, option("Worker processes (default: one per core; on a GPU 1).")] = None,
    threads: Annotated[int | None, option("Torch threads of each (default 1).")] = None,
    device: Annotated[str | None, option("cpu (default), cuda, cuda:N or auto.")] = None,
    run_dir: Annotated[Path | None, option("Folder of a new run (default runs/DATE_PAIR).")] = None,
    resume: Annotated[Path | None, option("Folder of a run to go on with.")] = None,
    list_primitives: Annotated[bool, typer.Option("--list-primitives", help="Show all operations and stop.")] = False,
    list_taps: Annotated[bool, typer.Option("--list-taps", help="Show the pair's taps and stop.")] = False,
    write_history: Annotated[
        Path | None, typer.Option("--write-history", help="Write the history.jsonl of a run folder anew and stop.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the winner's tree at the end.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
) -> None:
    """Evolve distillation losses for a teacher-student pair."""
    given = dict(locals())
    for name in ("run_dir", "resume", "list_primitives", "list_taps", "write_history", "show", "quiet", "as_json"):
        given.pop(name)
    given["seed_methods"] = tuple(name.strip() for name in seed_methods.split(",")) if seed_methods else None
    given["primitives"] = tuple(primitives) if primitives else None
    given["taps"] = tuple(taps) if taps else None
    options = {name: value for name, value in given.items() if value is not None}
    try:
        if list_primitives:
            _list_primitives(options, as_json=as_json)
        elif list_taps:
            _list_taps(options)
        elif write_history is not None:
            _write_history(write_history)
        else:
            _search(options, run_dir, resume, show=show, quiet=quiet, as_json=as_json)
    except KdzeroError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_CODE) from None


def _search(
    options: dict[str, Any], run_dir: Path | None, resume: Path | None, *, show: bool, quiet: bool, as_json: bool
) -> None:
    from kdzero_gp.console.events import TensorBoardEvents
    from kdzero_gp.console.progress import ConsoleProgress
    from kdzero_gp.console.result_table import result_table
    from kdzero_gp.session.runner import search

    console = make_console(sys.stderr if as_json else sys.stdout, quiet=quiet)
    with interruptible(), ConsoleProgress(console) as progress, own_output(quiet):
        events = TensorBoardEvents(progress)
        try:
            result = search(run_dir=run_dir, resume=resume, observer=events, **options)
        except KeyboardInterrupt:
            _say_how_to_go_on(progress.folder or resume)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            events.close()
    if as_json:
        best = str(result.best.tree) if result.best is not None else None
        record = {"folder": str(result.folder), "best": best, "table": [asdict(row) for row in result.table]}
        typer.echo(json.dumps(record))
        return
    if result.table:
        console.print(result_table(result.table, max(len(row.accuracy) for row in result.table)))
    if show and result.best is not None:
        from kdzero_gp.gallery import show as draw

        console.print(draw(result.best.tree), highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"drawings and figures: {result.folder / 'gallery' / 'index.html'}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _say_how_to_go_on(folder: Path | None) -> None:
    if folder is None:
        typer.echo("interrupted before the run began; nothing was stored", err=True)
    else:
        typer.echo(
            "interrupted; what was finished is stored. Go on with: python -m kdzero_gp.run --resume "
            f"{shlex.quote(str(folder))}",
            err=True,
        )


def _list_primitives(options: dict[str, Any], *, as_json: bool) -> None:
    from kdzero_gp.console.primitive_table import primitive_rows, primitive_table
    from kdzero_gp.grammar.registry import active_registry
    from kdzero_gp.session.assemble import load_primitives
    from kdzero_gp.session.config import make_config

    with own_output(quiet=False):
        load_primitives(make_config(**options))
    rows = primitive_rows(active_registry().values())
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    make_console(sys.stdout).print(primitive_table(rows))


def _write_history(folder: Path) -> None:
    from kdzero_gp.store import RunStore

    with RunStore.read(folder) as store:
        typer.echo(str(store.write_history()))


def _list_taps(options: dict[str, Any]) -> None:
    from kdzero_gp.console.tap_table import tap_table
    from kdzero_gp.session.assemble import make_data
    from kdzero_gp.session.config import make_config
    from kdzero_gp.session.pair_check import check_pair

    config = make_config(**options)
    with own_output(quiet=False):
        data = make_data(config)
        pair = check_pair(config, data)
    make_console(sys.stdout).print(tap_table(pair, f"{config.pair} on {data.name}"))


if __name__ == "__main__":
    app()
