"""JSON in a page: whatever it holds, it is read back and closes nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdzero_gp.gallery.json_block import json_block


@given(st.text(st.characters(), max_size=30))
def test_any_text_is_read_back_and_none_is_markup(text: str) -> None:
    block = json_block({"a": [text]})
    assert json.loads(block) == {"a": [text]}
    assert not set("<>&\u2028\u2029") & set(block)


def test_half_a_surrogate_pair() -> None:
    block = json_block("\ud800 </script>")
    assert block.encode("utf-8")
    assert json.loads(block) == "\ud800 </script>"


def test_no_number_that_json_lacks() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_block([float("nan")])
