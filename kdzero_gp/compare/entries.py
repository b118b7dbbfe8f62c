"""The methods of a comparison: from what a user types to what is trained, each under a label of its own."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from kdzero_gp.errors import ConfigError
from kdzero_gp.evaluate.candidate import Candidate
from kdzero_gp.methods.named import NamedDistiller, is_file_name, named_distiller
from kdzero_gp.methods.registry import METHODS, method, names_method
from kdzero_gp.store.json_text import encode
from kdzero_gp.untrusted import user_path

ALL, TREES = "all", "trees"
"""What stands for every registered method, and for those that are trees; the student alone is one of both."""
Kind = Literal["alone", "method", "file", "text"]
LABEL = re.compile(r"([A-Za-z][\w .+-]{0,39})=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """A row of the table before it is filled.

    Attributes:
        label: its name there, unique.
        kind: the student alone, a hand-designed method, a distiller file, or a text form.
        source: a method's paper, or the file.
    """

    label: str
    kind: Kind
    named: NamedDistiller
    source: str

    @property
    def candidate(self) -> Candidate:
        """The distiller that is trained."""
        tree = None if self.named.tree is None else str(self.named.tree)
        return Candidate(
            tree,
            self.named.calibration,
            ce_weight=self.named.ce_weight,
            warmup=self.named.warmup,
            module=self.named.module,
        )

    @property
    def key(self) -> str:
        """Identity of the training: equal for entries that differ in name alone."""
        candidate = self.candidate
        content = [candidate.tree, candidate.calibration, candidate.ce_weight, candidate.warmup]
        if candidate.module is not None:
            content.append(candidate.module)
        return hashlib.blake2b(encode(content).encode(), digest_size=8).hexdigest()


def split_methods(texts: Iterable[str]) -> list[str]:
    """Splits texts that hold several methods into single ones, at commas outside of brackets.

    Raises:
        ConfigError: there are none.
    """
    found: list[str] = []
    for text in texts:
        depth = start = 0
        for place, character in enumerate(f"{text},"):
            depth += (character == "(") - (character == ")")
            if character == "," and (depth <= 0 or place == len(text)):
                found.append(text[start:place].strip())
                start = place + 1
    found = [text for text in found if text]
    if not found:
        raise ConfigError("--methods names none; give some, as in --methods none,kd,dist,runs/NAME/best.json")
    return found


def widened(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separates texts of one method from the methods that `all` and `trees` add."""
    single = [text for text in texts if text not in (ALL, TREES)]
    wide = [name for name, chosen in METHODS.items() if ALL in texts or (TREES in texts and chosen.module is None)]
    return single, [name for name in wide if name not in single]


def make_entries(texts: Sequence[str], stages: Sequence[str]) -> list[Entry]:
    """Makes the entries that texts name, each once, in order.

    Args:
        texts: as `named_distiller` takes them, with or without LABEL= in front.
        stages: names of the pair's stages.

    Raises:
        KdzeroError: one that cannot be read, or two of one label.
    """
    entries: dict[str, Entry] = {}
    for text in texts:
        entry = _entry(text, stages, number=sum(known.kind == "text" for known in entries.values()) + 1)
        known = entries.setdefault(entry.label, entry)
        if known.key != entry.key:
            raise ConfigError(
                f"two different methods are called '{entry.label}'; tell them apart by labels, as in "
                "evolved=runs/A/best.json,random=runs/B/best.json"
            )
    return list(entries.values())


def _entry(text: str, stages: Sequence[str], number: int) -> Entry:
    labelled = None if is_file_name(text) and user_path(text).is_file() else LABEL.fullmatch(text)
    given, wanted = (labelled[1].strip(), labelled[2].strip()) if labelled else (None, text)
    named = named_distiller(wanted, stages)
    kind: Kind
    if names_method(wanted):
        kind, label, source = ("alone" if named.alone else "method"), wanted, method(wanted).source
    elif is_file_name(wanted):
        kind, label, source = "file", _shown(Path(wanted).name), _shown(wanted)
    else:
        kind, label, source = "text", f"formula {number}", "as written"
    label = given or label
    return Entry(label, kind, replace(named, name=label), source)


def _shown(text: str) -> str:
    """Gives a file's name without what a terminal or a drawing would act on."""
    return "".join(character if character.isprintable() else "?" for character in text)
