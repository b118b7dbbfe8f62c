"""`--taps`: what its entries say, and what is wrong with others."""

import pytest

from kdzero_gp.errors import TapError
from kdzero_gp.taps.override import TapOverride, parse_taps


def test_entries_for_both_networks_and_for_one() -> None:
    override = parse_taps(["stage2=layer2.3, teacher:pool=fc", "student:stage1=blocks.0.attn"])
    assert override.teacher == {"stage2": "layer2.3", "pool": "fc"}
    assert override.student == {"stage2": "layer2.3", "stage1": "blocks.0.attn"}
    assert override.paired == {"stage2"}
    assert parse_taps([]) == TapOverride()
    apart = parse_taps(["teacher:stage1=a,student:stage1=b,pool=c"])
    assert apart.paired == {"stage1", "pool"}


@pytest.mark.parametrize("text", ["", "stage2", "stage2=", "=layer", "pupil:stage2=a", "stage2=a b", "a:b:c=d", "a=b,"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(TapError, match=r"must be NAME=MODULE, such as stage2=layer2\.3"):
        parse_taps([text])


@pytest.mark.parametrize("texts", [["stage2=a", "stage2=b"], ["stage2=a,student:stage2=b"]])
def test_one_tap_is_set_once(texts: list[str]) -> None:
    with pytest.raises(TapError, match=r"sets stage2 of the (teacher|student) twice, to 'a' and 'b'"):
        parse_taps(texts)
