"""`python -m kdzero_gp.run`: evolve a distiller for a pair, compare it, draw it, hand it over."""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kdzero_gp.console.command import INTERRUPTED, interruptible, make_console, own_output
from kdzero_gp.console.options import (
    Amp,
    AsJson,
    BatchSize,
    Data,
    Device,
    Executor,
    LearningRate,
    Limit,
    Primitives,
    Quiet,
    RayAddress,
    Student,
    StudentInput,
    Taps,
    TaskName,
    Teacher,
    TeacherInput,
    TeacherNorm,
    TeacherWeights,
    Threads,
    Workers,
    option,
)
from kdzero_gp.errors import EXIT_CODE, KdzeroError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run(
    task: TaskName = None,
    data: Data = None,
    limit: Limit = None,
    teacher: Teacher = None,
    student: Student = None,
    teacher_weights: TeacherWeights = None,
    teacher_input: TeacherInput = None,
    student_input: StudentInput = None,
    teacher_norm: TeacherNorm = None,
    taps: Taps = None,
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
    fitness: Annotated[
        str | None,
        option("tempered (default), relative, or eq2, KD-Zero's plain sum; of multilabel bce (default) or map."),
    ] = None,
    shrink_space: Annotated[
        bool | None, option("Draw operations of bad carriers less.", "--shrink-space/--no-shrink-space")
    ] = None,
    primitives: Primitives = None,
    seed_methods: Annotated[
        str | None, option("Hand-designed methods to start from, such as kd,at, as strong as published.")
    ] = None,
    mode: Annotated[str | None, option("generational (default), or steady, which keeps all workers busy.")] = None,
    rungs: Annotated[int | None, option("Rungs of the race of candidates; 1 (default) trains all to the end.")] = None,
    eta: Annotated[int | None, option("Of how many at a rung one goes on (default 3).")] = None,
    fuse: Annotated[
        str | None,
        option("Students in one program: a number (default 5 on digits, else 1), or auto (default on a GPU)."),
    ] = None,
    augment: Annotated[
        str | None, option("none (default), crop-flip, the usual one, or strong, for transformers.")
    ] = None,
    views: Annotated[int | None, option("Views of an image that augmentation makes (default 8).")] = None,
    amp: Amp = None,
    cache_gb: Annotated[float | None, option("GiB of memory for teacher outputs (default 4); 0 keeps none.")] = None,
    epochs: Annotated[int | None, option("Epochs of a full training.")] = None,
    proxy_epochs: Annotated[int | None, option("Epochs of a candidate's training.")] = None,
    batch_size: BatchSize = None,
    lr: LearningRate = None,
    timeout: Annotated[float | None, option("Seconds one candidate may take (default 600).")] = None,
    baselines: Annotated[
        bool | None, option("Compare with student alone, KD and random search.", "--baselines/--no-baselines")
    ] = None,
    final_seeds: Annotated[int | None, option("Fresh seeds of the final table (default 5).")] = None,
    finalists: Annotated[int | None, option("Evolved distillers in the final table (default 3).")] = None,
    leaders: Annotated[int | None, option("Best candidates that are trained in full again (default 10).")] = None,
    leader_seeds: Annotated[int | None, option("Seeds of that, on validation (default 3; 0 skips it).")] = None,
    executor: Executor = None,
    ray_address: RayAddress = None,
    workers: Workers = None,
    threads: Threads = None,
    device: Device = None,
    run_dir: Annotated[Path | None, option("Folder of a new run (default runs/DATE_PAIR).")] = None,
    resume: Annotated[Path | None, option("Folder of a run to go on with.")] = None,
    list_primitives: Annotated[bool, typer.Option("--list-primitives", help="Show all operations and stop.")] = False,
    list_taps: Annotated[bool, typer.Option("--list-taps", help="Show the pair's taps and stop.")] = False,
    write_history: Annotated[
        Path | None, typer.Option("--write-history", help="Write the history.jsonl of a run folder anew and stop.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the winner's tree at the end.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
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
    from kdzero_gp.run.events import TensorBoardEvents
    from kdzero_gp.run.progress import ConsoleProgress
    from kdzero_gp.run.run import search
    from kdzero_gp.run.tables import result_table

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
        console.print(result_table(result.table, max(len(row.accuracy) for row in result.table), result.kind))
    if show and result.best is not None:
        from kdzero_gp.drawing.show import show as draw

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
    from kdzero_gp.grammar.registry import active_registry
    from kdzero_gp.pair.assemble import load_primitives
    from kdzero_gp.run.config import make_config
    from kdzero_gp.run.tables import primitive_rows, primitive_table

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
    from kdzero_gp.pair.assemble import make_data
    from kdzero_gp.pair.check import check_pair
    from kdzero_gp.run.config import make_config
    from kdzero_gp.run.tables import tap_table

    config = make_config(**options)
    with own_output(quiet=False):
        data = make_data(config)
        pair = check_pair(config, data)
    make_console(sys.stdout).print(tap_table(pair, f"{config.pair} on {data.name}"))


if __name__ == "__main__":
    app()
