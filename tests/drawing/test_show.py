"""The terminal's tree."""

from collections.abc import Callable

from kdzero_gp.drawing.show import show
from kdzero_gp.grammar.tree import Tree

DRAWN = """\
add                              Loss
├─ weight 1 · calibration 0.032  Loss
│  └─ kl τ=4                     PerSample
│     └─ logits                  Logits
└─ weight 5 · calibration 1230   Loss
   └─ w_entropy                  PerSample
      └─ l1                      PerSample
         └─ norm_n               Map
            └─ scale_r2          Map
               └─ catt           Map
                  └─ stage2      Map"""


def test_the_whole_drawing(example: Tree) -> None:
    assert show(example, calibration=[0.032, 1234.0]) == DRAWN


def test_without_other_characters(example: Tree) -> None:
    text = show(example, ascii_only=True)
    assert text.isascii()
    assert len({line.rindex("  ") for line in text.splitlines()}) == 1  # the types stand in one column


def test_a_term_that_stands_twice_is_drawn_twice(read: Callable[[str], Tree]) -> None:
    text = show(read("add(weight(1, l1(pool)), weight(1, l1(pool)))"))
    assert text.count("pool") == 2
    assert text.count("├") == text.count("└─ weight") == 1
