"""CIFAR-100 across architectures, ResNet-56 to DeiT-Ti: a search, then its best beside methods of the field.

The student sees images enlarged to 64 x 64, the teacher the 32 x 32 that it was trained on. As `benchmarks.cifar100`,
in a setting for two CPU cores; it goes on where it stopped with the same `--keep`.
"""

from dataclasses import replace

import typer

from benchmarks.cifar100.command import (
    Also,
    Amp,
    Call,
    Data,
    Device,
    Keep,
    Out,
    Quick,
    Seeds,
    Weights,
    Workers,
    carry_out,
)
from benchmarks.cifar100.settings import DEIT, QUICK

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    data: Data = None,
    weights: Weights = None,
    quick: Quick = False,
    keep: Keep = None,
    seeds: Seeds = None,
    also: Also = None,
    amp: Amp = False,
    workers: Workers = None,
    device: Device = "cpu",
    out: Out = None,
) -> None:
    """Search on CIFAR-100 for a transformer student, and compare what was found."""
    setting = QUICK if quick else DEIT
    setting = replace(setting, seeds=seeds or setting.seeds)
    call = Call(data, weights, keep, amp, workers, device, out, also)
    carry_out("cifar100_deit", setting, call, {"quick": quick, "seeds": seeds})


if __name__ == "__main__":
    app()
