"""Digests of operations: what changes a meaning changes them, and where a file lies does not."""

import itertools
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from kdzero_gp import Map, parse, transform
from kdzero_gp.grammar.digest import digest_of, digests_of
from kdzero_gp.grammar.registry import Registry, default_registry

OPS = """
from torch import Tensor
from kdzero_gp import Map, transform
from digest_helper import FACTOR

def half(x):
    return x / 2

@transform(Map)
def mine(x: Tensor) -> Tensor:
    return half(x) * FACTOR
"""
HELPER = "from digest_constants import FACTOR\n"
CONSTANTS = "FACTOR = 3\n"


def digest(folder: Path, ops: str = OPS, helper: str = HELPER, constants: str = CONSTANTS) -> str:
    folder.mkdir()
    for name, text in (("ops", ops), ("digest_helper", helper), ("digest_constants", constants)):
        (folder / f"{name}.py").write_text(text)
    with default_registry().copy().active() as registry:
        registry.load_file(folder / "ops.py")
        return digest_of(registry["mine"])


def forget() -> None:
    """The helpers of the last folder, which Python keeps by name."""
    for name in ("digest_helper", "digest_constants"):
        sys.modules.pop(name, None)


def test_a_digest_changes_with_the_text_of_every_file_that_has_a_part(tmp_path: Path) -> None:
    changed: list[dict[str, Any]] = [
        {},
        {"ops": OPS.replace("* FACTOR", "+ FACTOR")},
        {"ops": OPS.replace("x / 2", "x / 3")},
        {"helper": HELPER + "FACTOR = FACTOR + 1\n"},
        {"constants": "FACTOR = 4\n"},
    ]
    found = []
    for number, change in enumerate(changed):
        forget()
        found.append(digest(tmp_path / str(number), **change))
    forget()
    assert len(set(found)) == len(changed)
    assert digest(tmp_path / "elsewhere") == found[0]
    forget()


def test_a_digest_is_of_what_was_loaded_and_not_of_what_the_file_became(tmp_path: Path) -> None:
    folder = tmp_path / "ops"
    digest(folder)
    with default_registry().copy().active() as registry:
        registry.load_file(folder / "ops.py")
        before = digest_of(registry["mine"])
        (folder / "ops.py").write_text(OPS.replace("x / 2", "x / 7"))
        assert digest_of(registry["mine"]) == before
        registry.load_file(folder / "ops.py")
        assert digest_of(registry["mine"]) != before
    forget()


def declared(registry: Registry, make: Callable[[], Any]) -> str:
    with registry.copy().active() as own:
        make()
        return digest_of(own["cell"])


def test_values_that_an_operation_was_made_with_belong_to_it() -> None:
    registry = default_registry()

    def with_factor(factor: int) -> Any:
        @transform(Map, name="cell")
        def scaled(x: Tensor) -> Tensor:
            return x * factor

        return scaled

    def with_default(factor: int) -> Any:
        return transform(Map, name="cell")(lambda x, factor=factor: x * factor)

    made = [with_factor, with_default]
    found = [declared(registry, partial(make, factor)) for make, factor in itertools.product(made, (2, 3))]
    assert len(set(found)) == 4
    assert declared(registry, lambda: with_factor(2)) == found[0]


def test_what_was_typed_at_a_prompt_has_a_digest_of_its_code() -> None:
    source = "@transform(Map, name='cell')\ndef cell(x):\n    return x * {}\n"
    space = {"transform": transform, "Map": Map}
    found = [declared(default_registry(), lambda f=f: exec(source.format(f), dict(space))) for f in (2, 3, 2)]
    assert found[0] != found[1]
    assert found[0] == found[2]


def test_every_operation_of_a_formula_has_one() -> None:
    tree = parse("add(weight(1, w_conf(l2(satt(stage1)))), weight(1, kl(logits, 4)))")
    digests = digests_of({node.operation for node in tree.root.walk() if node.operation is not None})
    assert list(digests) == ["kl", "l2", "satt", "w_conf"]
    assert len(set(digests.values())) == 4
    names = {name for name, _ in default_registry()["kl"].code}
    assert names == {"divergence.py", "guards.py"}
