"""The taps of a pair, side by side."""

from collections.abc import Iterable

from rich.table import Table

from kdzero_gp.tasks.pair_taps import PairTaps
from kdzero_gp.tasks.tap import Tap, Taps


def tap_table(pair: PairTaps, title: str) -> Table:
    """A row for each tap that the networks share, and below those that only one has, by their own names.

    A network's own name of a stage, the one that `--taps` sets, stands behind it where it is another.
    """
    table = Table("tap", "teacher", "shape", "student", "shape", title=title)
    for name, teacher in pair.shared.teacher.items():
        student = pair.shared.student[name]
        table.add_row(name, *_cells(name, teacher, pair.teacher), *_cells(name, student, pair.student))
    for own, shared, empty in (
        (pair.teacher, pair.shared.teacher, ((), ("", ""))),
        (pair.student, pair.shared.student, (("", ""), ())),
    ):
        for name, tap in _unshared(own, shared):
            table.add_row("–", *empty[0], f"{tap}, its {name}", _shape(tap), *empty[1])
    return table


def _cells(name: str, tap: Tap, own: Taps) -> tuple[str, str]:
    original = next(key for key, value in own.items() if value == tap)
    renamed = f", its {original}" if original != name else ""
    return f"{tap}{renamed}", _shape(tap)


def _shape(tap: Tap) -> str:
    return str(tuple(tap.shape))


def _unshared(own: Taps, shared: Taps) -> Iterable[tuple[str, Tap]]:
    kept = set(shared.values())
    return [(name, tap) for name, tap in own.items() if tap not in kept]
