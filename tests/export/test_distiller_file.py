"""best.json: exact both ways, and nothing in a hostile file is believed or run."""

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kdzero_gp import Distiller, Map, random_tree, transform
from kdzero_gp.errors import ConfigError, KdzeroError, PrimitiveError
from kdzero_gp.export.distiller_file import load, save
from kdzero_gp.grammar.grammar import default_grammar
from kdzero_gp.grammar.registry import default_registry
from tests.distiller.slow_twin import knowledge, targets

TEXT = "add(weight(5, w_entropy(l1(no(catt(stage2))))), weight(1, kl(logits, 4)))"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return save(Distiller(TEXT, calibration=[0.1 + 0.2, 1e-9], seed=7), tmp_path / "best.json")


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_what_is_saved_is_loaded(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    path = tmp_path_factory.mktemp("best") / "best.json"
    rng = random.Random(seed)
    for offset in range(4):
        tree = random_tree(rng, grammar=default_grammar(extended=True))
        terms = len(Distiller(tree).terms_in_order)
        one = Distiller(tree, calibration=[10 ** rng.uniform(-8, 8) for _ in range(terms)], seed=seed + offset)
        two = load(save(one, path))
        assert str(two.tree) == str(one.tree)
        assert two.calibration.tolist() == one.calibration.tolist()
        assert (two.seed, two.taps) == (one.seed, one.taps)


def test_the_same_numbers(good: Path) -> None:
    student, teacher = knowledge(0), knowledge(1, channels=(3, 9, 6))
    one = Distiller(TEXT, calibration=[0.1 + 0.2, 1e-9], seed=7)
    assert torch.equal(load(good)(student, teacher, targets()), one(student, teacher, targets()))


def test_what_stands_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "best.json"
    save(
        Distiller(TEXT, calibration=[1 / 3, 2.0]),
        str(path),
        teacher="resnet56",
        student="resnet20",
        fitness=0.25,
        parts={"ce": 0.1},
        extra={"run": {"generation": 3, "note": "τ"}},
    )
    content = json.loads(path.read_text())
    versions = content.pop("versions")
    assert sorted(versions) == ["deap", "kdzero_gp", "python", "torch"]
    assert content == {
        "format": "kdzero_gp.distiller",
        "version": 1,
        "distiller": TEXT,
        "canonical": "add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(catt(stage2)))))",
        "calibration": [1 / 3, 2.0],
        "taps": ["logits", "stage2"],
        "seed": 0,
        "teacher": "resnet56",
        "student": "resnet20",
        "fitness": 0.25,
        "parts": {"ce": 0.1},
        "extra": {"run": {"generation": 3, "note": "τ"}},
    }
    assert path.read_bytes().isascii()
    assert os.listdir(tmp_path) == ["best.json"], "a partial file was left behind"
    assert load(path).tree.key == content["canonical"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fitness": float("nan")}, "finite numbers"),
        ({"parts": {"ce": float("inf")}}, "finite numbers"),
        ({"extra": {"x": object()}}, "finite numbers, strings"),
    ],
)
def test_what_json_cannot_hold_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        save(Distiller(TEXT), tmp_path / "best.json", **options)
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("factor", [0.0, -1.0, float("nan"), float("inf")])
def test_a_broken_calibration_is_not_written(tmp_path: Path, factor: float) -> None:
    with pytest.raises(ConfigError, match="must be finite and positive"):
        save(Distiller(TEXT, calibration=[1.0, factor]), tmp_path / "best.json")


def test_an_unwritable_place(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "best.json", tmp_path):
        with pytest.raises(KdzeroError, match="cannot write"):
            save(Distiller(TEXT), path)


MARK = "kdzero_gp_was_here"
CODE = f"open({MARK!r}, 'w')"

HOSTILE_BYTES: dict[str, bytes] = {
    "empty": b"",
    "python": f"__import__('os').system('touch {MARK}')".encode(),
    "pickle": b"cos\nsystem\n(S'touch " + MARK.encode() + b"'\ntR.",
    "pickle of protocol 4": b"\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "yaml": f"!!python/object/apply:os.system ['touch {MARK}']".encode(),
    "zip": b"PK\x03\x04archive/data.pkl",
    "latin-1": '{"format": "\xe9"}'.encode("latin-1"),
    "utf-16": '{"format": "kdzero_gp.distiller"}'.encode("utf-16"),
    "null bytes": b"\x00" * 100,
    "list": b"[1, 2]",
    "string": b'"weight(1, l2(stage1))"',
    "number": b"7",
    "null": b"null",
    "truncated": b'{"format": "kdzero_gp.distiller", "version"',
    "two documents": b"{} {}",
    "deep list": b"[" * 400_000 + b"]" * 400_000,
    "deep object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "ten megabytes of nesting": b"[" * 10_000_000,
    "ten megabytes of spaces": b" " * 10_000_000 + b"{}",
    "digits": b'{"seed": ' + b"9" * 100_000 + b"}",
    "NaN": b'{"format": "kdzero_gp.distiller", "version": NaN}',
    "Infinity": b'{"calibration": [-Infinity]}',
    "repeated key": b'{"format": "kdzero_gp.distiller", "format": "kdzero_gp.distiller"}',
    "comment": b'{"format": "kdzero_gp.distiller"} // fine',
}


@pytest.mark.parametrize("name", HOSTILE_BYTES)
def test_hostile_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "best.json"
    path.write_bytes(HOSTILE_BYTES[name])
    with pytest.raises(KdzeroError) as caught:
        load(path)
    message = str(caught.value)
    assert str(path) in message
    assert len(message) < 600
    assert message.isprintable()
    assert os.listdir(tmp_path) == ["best.json"]
    assert path.read_bytes() == HOSTILE_BYTES[name]


ABSENT = object()
HOSTILE_VALUES: list[tuple[str, Any, str]] = [
    ("format", "other", "`format`"),
    ("format", 3, "`format`"),
    ("format", ABSENT, "`format`"),
    ("version", 2, "version of kdzero_gp that wrote it"),
    ("version", True, "`version`"),
    ("version", 1.0, "`version`"),
    ("version", "1", "`version`"),
    ("distiller", ABSENT, "lacks distiller"),
    ("distiller", None, "`distiller` is None"),
    ("distiller", ["weight(1, l2(stage1))"], "`distiller`"),
    ("distiller", "", "cannot be read"),
    ("distiller", CODE, "open"),
    ("distiller", f"__import__('os').system('touch {MARK}')", "__import__"),
    ("distiller", "(lambda: 1)()", "column 1"),
    ("distiller", "weight(1, l2(stage1)) or 1", "column 23"),
    ("distiller", "weight(1, l2(satt(stage1)))", "`canonical`"),
    ("distiller", "weight(1, mine(stage1))", "`mine`.*--primitives"),
    ("distiller", "\x1b[31mweight(1, l2(stage1))", "cannot be read"),
    ("distiller", "\ud800", "cannot be read"),
    ("distiller", "weight(1, l2(" + "relu(" * 3000 + "stage1" + ")" * 3002, "nesting"),
    ("distiller", "weight(1, l2(stage1))" * 10_000, "characters"),
    ("canonical", "weight(1, kl(logits, 4))", "canonical form"),
    ("canonical", 5, "`canonical`"),
    ("calibration", ABSENT, "lacks calibration"),
    ("calibration", [], "2 numbers"),
    ("calibration", [1.0], "2 numbers"),
    ("calibration", [1.0, 2.0, 3.0], "2 numbers"),
    ("calibration", [1.0, 0.0], "positive finite"),
    ("calibration", [1.0, -2.0], "positive finite"),
    ("calibration", [1.0, "2"], "positive finite"),
    ("calibration", [1.0, True], "positive finite"),
    ("calibration", [1.0, None], "positive finite"),
    ("calibration", [1.0, [2.0]], "positive finite"),
    ("calibration", [1.0, 10**400], "positive finite"),
    ("calibration", {"0": 1.0, "1": 1.0}, "`calibration`"),
    ("calibration", 1.0, "`calibration`"),
    ("taps", ["logits"], "`taps`"),
    ("taps", ["stage2", "logits"], "`taps`"),
    ("taps", "logits", "`taps`"),
    ("taps", [1, 2], "`taps`"),
    ("seed", -1, "`seed`"),
    ("seed", 2**64, "`seed`"),
    ("seed", 1.5, "`seed`"),
    ("seed", False, "`seed`"),
    ("seed", ABSENT, "lacks seed"),
    ("teacher", 3, "`teacher`"),
    ("student", ["x"], "`student`"),
    ("fitness", "low", "`fitness`"),
    ("parts", [1], "`parts`"),
    ("parts", {"ce": "low"}, "`parts`"),
    ("versions", {"torch": 2}, "`versions`"),
    ("extra", 3, "`extra`"),
    ("__class__", "os.system", "unknown key"),
    ("x" * 5000, 1, "unknown key"),
]


@pytest.mark.parametrize(
    ("key", "value", "message"), HOSTILE_VALUES, ids=[f"{k[:20]}-{i}" for i, (k, _, _) in enumerate(HOSTILE_VALUES)]
)
def test_hostile_values(good: Path, monkeypatch: pytest.MonkeyPatch, key: str, value: Any, message: str) -> None:
    monkeypatch.chdir(good.parent)
    content = json.loads(good.read_text())
    content[key] = value
    if value is ABSENT:
        del content[key]
    good.write_text(json.dumps(content))
    with pytest.raises(KdzeroError, match=message) as caught:
        load(good)
    assert str(good) in str(caught.value)
    assert len(str(caught.value)) < 900
    assert str(caught.value).replace("\n", "").isprintable()
    assert os.listdir(good.parent) == ["best.json"]


def test_huge_floats_are_not_finite(good: Path) -> None:
    good.write_text(good.read_text().replace("1e-09", "1e999"))
    with pytest.raises(KdzeroError, match="positive finite"):
        load(good)


def test_a_wide_sum_is_read_or_refused(good: Path) -> None:
    """A balanced sum is shallow, its canonical form is a chain as deep as there are terms."""
    texts = ["weight(1, l2(pool))"] * 512
    while len(texts) > 1:
        texts = [f"add({a}, {b})" for a, b in zip(texts[::2], texts[1::2], strict=True)]
    chain = "weight(1, l2(pool))"
    for _ in range(511):
        chain = f"add({chain}, weight(1, l2(pool)))"
    content = json.loads(good.read_text())
    content.update(distiller=texts[0], canonical=chain, calibration=[1.0] * 512, taps=["pool"])
    good.write_text(json.dumps(content))
    try:
        assert len(load(good).terms_in_order) == 512
    except KdzeroError as error:
        assert str(good) in str(error)  # noqa: PT017  # a deeper stack may read it


@pytest.mark.parametrize("path", ["missing.json", ".", "\x00"])
def test_no_file(tmp_path: Path, path: str) -> None:
    with pytest.raises(KdzeroError, match=r"is not a file|cannot be read"):
        load(tmp_path / path)


def test_a_primitive_of_ones_own_must_be_known(tmp_path: Path) -> None:
    path = tmp_path / "best.json"
    with default_registry().copy().active():
        transform(Map, name="mine")(lambda x: x * 2)
        save(Distiller("weight(1, l2(mine(stage1)))"), path)
        assert str(load(path).tree) == "weight(1, l2(mine(stage1)))"
    with pytest.raises(PrimitiveError, match=r"uses `mine`.*--primitives FILE"):
        load(path)


def test_saving_replaces_the_file_whole(good: Path) -> None:
    save(Distiller("weight(1, l2(pool))"), good)
    assert str(load(good).tree) == "weight(1, l2(pool))"


def test_the_last_of_many_keys_twice(tmp_path: Path) -> None:
    path = tmp_path / "best.json"
    keys = [f'"k{number}": 1' for number in range(60_000)]
    path.write_text("{" + ", ".join([*keys, '"k59999": 1']) + "}")
    with pytest.raises(KdzeroError, match="the key 'k59999' occurs twice"):
        load(path)
