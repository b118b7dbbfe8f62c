"""The probe of a run that has ended or goes on elsewhere: its pair is put together again from what its folder says.

A run folder may come from anywhere. So no code that it names is run unless the user names it too, and the pair counts
as the run's only where data, taps and kept readings agree.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from kdzero_gp.drawing.reading import Reading, readings_from_data
from kdzero_gp.errors import ConfigError, KdzeroError
from kdzero_gp.gallery.run_view import READINGS
from kdzero_gp.grammar.parse import parse
from kdzero_gp.pair.assemble import make_data, make_task
from kdzero_gp.pair.own_code import CODE
from kdzero_gp.pair.stored import options_here
from kdzero_gp.randomness import settle_torch
from kdzero_gp.run.config import RunConfig, make_config
from kdzero_gp.run.node_readings import NodeProbe
from kdzero_gp.run.run import FINGERPRINT
from kdzero_gp.store import RunStore
from kdzero_gp.tasks.task import Task
from kdzero_gp.untrusted import printable

APART = 0.05
"""How far readings may be from those the run kept, relative to these: another machine or device moves them by less."""
WITHOUT = "Without --probe the gallery shows the readings that the run kept"


def run_probe(store: RunStore, *, primitives: Collection[Path] = (), **chosen: Any) -> NodeProbe:
    """Assembles a run's pair as the run does, and shows it the probe batch.

    A teacher that was trained by the run and is in the cache no more is trained again, as the run would.

    Args:
        primitives: the files that the user has named, which are loaded already.
        chosen: of `StoredPairOptions`, by name, in place of the stored ones; None where they are not given.

    Raises:
        ConfigError: the run names code that the user has not named, or these are not its data or its networks.
        KdzeroError: the data, the networks or the weights are missing or do not fit.
    """
    try:
        config = _config(store, primitives, chosen)
        settle_torch(config.threads, config.device)
        data = make_data(config)
        fingerprint = data.fingerprint()
        if store.config.get(FINGERPRINT) not in (None, fingerprint):
            raise ConfigError(
                f"the data {config.data} have the fingerprint {fingerprint} here, the run's had "
                f"{printable(str(store.config[FINGERPRINT]), limit=80)}; name the run's data by --data"
            )
        task = make_task(config, data)
        _require_taps(store, task)
        probe = NodeProbe(task)
        _require_same_readings(store, probe)
    except KdzeroError as error:
        raise ConfigError(f"the nodes of {store.folder} cannot be measured: {error}. {WITHOUT}") from error
    return probe


def _config(store: RunStore, primitives: Collection[Path], chosen: Mapping[str, Any]) -> RunConfig:
    stored = {name: value for name, value in store.config.items() if name not in (FINGERPRINT, CODE)}
    options = options_here("it", stored, chosen)
    named = {path.name for path in primitives}
    files = options.pop("primitives", ())
    for file in map(str, files if isinstance(files, list | tuple) else [files]):
        if Path(file).name not in named:
            shown = printable(file, limit=200)
            raise ConfigError(
                f"it has primitives of somebody's own, {shown}, whose code would be run; if you trust it, "
                f"add --primitives {shown}"
            )
    return make_config(**options)


def _require_taps(store: RunStore, task: Task) -> None:
    """Checks the taps' shapes against those that an ended run noted: its networks may have been others."""
    summary = store.result("summary")
    noted = summary.get("shapes") if isinstance(summary, Mapping) else None
    here = {
        side: {name: [2, *tap.shape] for name, tap in taps.items()}
        for side, taps in (("student", task.student_taps), ("teacher", task.teacher_taps))
    }
    if noted is not None and noted != here:
        raise ConfigError(
            f"the networks {task.name} have other taps than the run's; if those were given to it as objects of its "
            "own, its readings can be had from kdzero_gp.run.node_readings alone"
        )


def _require_same_readings(store: RunStore, probe: NodeProbe) -> None:
    """Measures the leaders again: one of them at least must come out as the run found it."""
    kept = store.result(READINGS)
    compared = 0
    for proposal, evaluation in store.evaluations():
        wanted = readings_from_data(kept.get(proposal.canonical)) if isinstance(kept, Mapping) else {}
        if not wanted or evaluation.status != "ok":
            continue
        try:
            found = probe(parse(proposal.tree), evaluation)
        except KdzeroError:
            continue
        compared += 1
        if all(text in found and _alike(reading, found[text]) for text, reading in wanted.items()):
            return
    if compared:
        raise ConfigError(
            "the readings of its leaders come out otherwise than the run found them, so this is another teacher, "
            "student or program version than the run's; name the teacher's checkpoint by --teacher-weights"
        )


def _alike(one: Reading, other: Reading) -> bool:
    return one.state == other.state and all(
        abs(a - b) <= APART * max(abs(a), abs(b)) for a, b in ((one.value, other.value), (one.gradient, other.gradient))
    )
