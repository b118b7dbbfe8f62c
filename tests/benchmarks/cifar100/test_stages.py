"""Further methods of the comparison, and the words that stand for what was found."""

from pathlib import Path

import pytest

from benchmarks.cifar100.command import shown
from benchmarks.cifar100.stages import further_methods, labelled
from kdzero_gp.errors import ConfigError


def test_words_stand_for_what_was_found_in_sums_alone() -> None:
    files = {"evolved": Path("run/best.json"), "random": Path("run/random.json")}
    also = labelled("a=evolved + random,b=dkd + evolved,c=weight(1, l2(logits)) + evolved")
    assert further_methods(also, files) == [
        "a=run/best.json + run/random.json",
        "b=dkd + run/best.json",
        "c=weight(1, l2(logits)) + run/best.json",
    ]
    assert labelled(None) == []
    with pytest.raises(ConfigError, match="without a label"):
        labelled("kd + evolved")
    with pytest.raises(ConfigError, match="no random arm"):
        further_methods(labelled("a=kd + random"), {"evolved": Path("best.json")})
    assert shown("a=kd + /home/x/best.json,b=at + evolved") == "'a=kd + FILE,b=at + evolved'"
