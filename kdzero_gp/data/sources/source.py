"""Data sets by name, each declared beside its loader in a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from kdzero_gp.data.dataset import Dataset
from kdzero_gp.data.sources.split import LabelForm, SplitRules
from kdzero_gp.folder_choices import FolderChoices

DEFAULT_DATA = "digits"


@dataclass(frozen=True)
class Source:
    """What is known of a data set, or of a kind of data sets, before its files are read.

    Attributes:
        typed: what a user types: a name alone, or `NAME:FILE` and `NAME:PATH`.
        ending: of files that are known by it, without the name in front.
        settings: example of what may follow the name and a colon; None: nothing, or something must.
        dataset: its name for people; None where a file or folder gives it.
        mean, std: per channel, of pixels divided by `scale`; None: counted over the training split.
        scale: the pixel value that stands for 1.0.
        val_fraction: share of every class' training images that is set aside for validation.
        test_fraction: share of every class' images for testing, where the set brings no test images of its own.
        side: height and width that all images are brought to; None: their own.
        preset: name of the recipe that every student is trained by on these images; None: the student's own.
        augment: name of the augmentation in a final training; None: the recipe's usual one.
        fuse: students of a search in one program on a CPU.
        labels: forms that its labels can be read in.
    """

    typed: str
    ending: str | None = None
    settings: str | None = None
    dataset: str | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: float = 255.0
    val_fraction: float = 0.1
    test_fraction: float = 0.2
    side: int | None = None
    preset: str | None = None
    augment: str | None = None
    fuse: int = 1
    labels: tuple[LabelForm, ...] = ("class",)

    @property
    def name(self) -> str:
        """What stands before the colon."""
        return self.typed.partition(":")[0]

    @property
    def ways(self) -> tuple[str, ...]:
        """Lists the ways to type it, such as `npz:FILE` and `FILE.npz`."""
        place = self.typed.partition(":")[2]
        return (self.typed, f"{place}{self.ending}") if self.ending else (self.typed,)

    def place_in(self, text: str) -> str | None:
        """Tells what follows the name in a text that names this source; None in any other text."""
        name, colon, place = text.partition(":")
        if name == self.name and self.settings is not None and bool(place) == bool(colon):
            return place
        if name == self.name and bool(place) == bool(colon) == (":" in self.typed):
            return place
        return text if self.ending is not None and text.endswith(self.ending) else None


Loader = Callable[[Source, str, SplitRules], Dataset]
"""Loads what a source and the place behind its name say, and splits it by rules."""


class Loadable(NamedTuple):
    """A source and how it is loaded."""

    source: Source
    load: Loader


SOURCES: FolderChoices[Loadable] = FolderChoices("--data", "kdzero_gp.data.sources")
"""All sources by name."""


def source(facts: Source) -> Callable[[Loader], Loader]:
    """Declares a data set, or a kind of them, by the function that loads it."""
    return SOURCES.declare(facts.name, facts.typed, lambda load: Loadable(facts, load))


def source_named(text: str) -> Source | None:
    """Finds the source that a text such as `npz:FILE` names first; None where there is none."""
    found = SOURCES.get(text.partition(":")[0])
    return None if found is None else found.source


def data_help() -> str:
    """Lists all that a user can type, the default first, for the help of `--data`."""
    *others, last = (each.source.typed for each in SOURCES.values() if each.source.typed != DEFAULT_DATA)
    return f"{{default}} (default), {', '.join(others)} or {last}."
