"""Methods with options in parentheses."""

import pytest

from kdzero_gp.errors import ConfigError
from kdzero_gp.methods.crd import Crd
from kdzero_gp.methods.ksanc import Ksanc
from kdzero_gp.methods.options import read_call
from kdzero_gp.methods.registry import METHODS, method, names_method
from kdzero_gp.methods.srrl import Srrl


def test_options_are_read_by_the_kind_of_their_default() -> None:
    crd = method("crd(negatives=4096, weight=1)").loss([])
    assert isinstance(crd, Crd)
    assert (crd.negatives, crd.weight) == (4096, 1.0)
    srrl = method("srrl( on = 'pool' )").loss(["stage1"])
    assert isinstance(srrl, Srrl)
    assert srrl.tap == "pool"
    ksanc = method("ksanc(attention=true)").loss(["stage1"])
    assert isinstance(ksanc, Ksanc)
    assert ksanc.attention
    assert "weight(8, nckd(logits, 4))" in str(method("dkd(beta=8)").tree())


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("crd", "crd"),
        ("crd()", "crd"),
        ("crd(negatives=16384)", "crd"),
        ("crd(weight=2.0,negatives=5)", "crd(negatives=5, weight=2)"),
        ("crd(weight=1e-7)", "crd(weight=1e-07)"),
        ("ksanc(attention=True)", "ksanc(attention=true)"),
        ("dkd(beta=0.1234567891)", "dkd(beta=0.1234567891)"),
    ],
)
def test_one_method_has_one_text(text: str, call: str) -> None:
    assert method(text).call == call
    assert method(call).call == call


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crd(negative=3)", "no option 'negative'. Did you mean negatives"),
        ("crd(negatives=3.5)", r"negatives=3.5, but it must be a whole number, as in negatives=16384"),
        ("dkd(beta=inf)", "must be a number"),
        ("dkd(beta=much)", "must be a number"),
        ("ksanc(attention=1)", "must be true or false"),
        ("kd(weight=2)", "Its options: none"),
    ],
)
def test_wrong_options_are_told_the_right_ones(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        method(text)


@pytest.mark.parametrize(
    "text", ["weight(1, kl(logits, 4))", "crd(negatives=3", "crd(3)", "crd(a=1, a=2)", "crd + kd", "kdd", "crd(a=1)x"]
)
def test_other_texts_are_no_methods(text: str) -> None:
    assert not names_method(text)
    assert read_call("crd(a=1, b='x y')") == ("crd", {"a": "1", "b": "x y"})


def test_every_method_says_its_options_and_survives_them() -> None:
    for name, declared in METHODS.items():
        assert declared.having(declared.defaults).options == {}, name
        for option, value in declared.defaults.items():
            assert isinstance(value, int | float | str), f"{name}({option})"
