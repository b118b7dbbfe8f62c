"""JSON text keeps every value."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdzero_gp.store.json_text import decode, encode

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text().filter(lambda key: key != "$float"), inner),
    max_leaves=20,
)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@given(VALUES)
def test_values_come_back_and_the_text_is_valid_json(value):
    text = encode(value)
    json.loads(text, parse_constant=refuse)
    assert text.isascii()
    assert "\n" not in text
    assert decode(text) == value
    assert repr(decode(text)) == repr(value)  # 1, 1.0 and True are equal but not the same


def test_nan_is_told_from_the_string():
    number, word = decode(encode([math.nan, "nan"]))
    assert math.isnan(number)
    assert word == "nan"


def test_tuples_and_numpy_scalars_become_json():
    assert decode(encode({"a": (np.int64(1), np.float32(0.5))})) == {"a": [1, 0.5]}


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"run": {"dir": Path("x")}}, r"value\['run'\]\['dir'\] is a Posix"),
        ([{1: 2}], r"value\[0\] has the key 1"),
        ({"$float": "nan"}, r"value has the key '\$float'"),
        (b"bytes", "value is a bytes"),
        ({1, 2}, "value is a set"),
    ],
)
def test_what_has_no_json_form_is_refused_with_its_place(value, place):
    with pytest.raises(TypeError, match=place):
        encode(value)
