"""The taps that a user sets by hand, as `--taps stage2=layer2.3`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from kdzero_gp.errors import TapError

Side = Literal["teacher", "student"]
SIDES: tuple[Side, ...] = ("teacher", "student")
_ENTRY = re.compile(r"(?:(?P<side>\w+):)?(?P<tap>\w+)=(?P<path>[\w.]+)")


@dataclass(frozen=True)
class TapOverride:
    """The taps that the user sets: tap name to module path, for each network.

    The numbers of stages are those that each network has by itself, before stages of the two are matched.
    """

    teacher: dict[str, str] = field(default_factory=dict)
    student: dict[str, str] = field(default_factory=dict)

    @property
    def paired(self) -> frozenset[str]:
        """The taps that are set in both networks."""
        return frozenset(self.teacher.keys() & self.student.keys())


def parse_taps(texts: Iterable[str]) -> TapOverride:
    """Reads texts such as `stage2=layer2.3` or `student:stage1=blocks.2,teacher:pool=fc`.

    Args:
        texts: each one entry, or several with commas between. Without `teacher:` or `student:` it is for both networks.

    Raises:
        TapError: an entry of another form, or two for one tap of one network.
    """
    found: dict[Side, dict[str, str]] = {side: {} for side in SIDES}
    for entry in (part.strip() for text in texts for part in text.split(",")):
        match = _ENTRY.fullmatch(entry)
        if match is None or match["side"] not in (None, *SIDES):
            raise TapError(
                f"--taps has '{entry}', but each entry must be NAME=MODULE, such as stage2=layer2.3, or "
                "teacher:NAME=MODULE or student:NAME=MODULE for one network alone; entries are separated by commas"
            )
        for side in (side for side in SIDES if match["side"] in (None, side)):
            if match["tap"] in found[side]:
                raise TapError(
                    f"--taps sets {match['tap']} of the {side} twice, to '{found[side][match['tap']]}' and "
                    f"'{match['path']}'; leave one of them out"
                )
            found[side][match["tap"]] = match["path"]
    return TapOverride(found["teacher"], found["student"])
