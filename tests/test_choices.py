"""Alternatives by name: who may take a name, and what a user is told of them."""

import pytest

from kdzero_gp.choices import Choices
from kdzero_gp.errors import ConfigError


@pytest.fixture
def colours() -> Choices[str]:
    choices: Choices[str] = Choices("--colour")
    choices.add("red", "#f00", "as blood", "here.red")
    choices.add("blue", "#00f", "as the sky", "here.blue")
    return choices


def test_they_are_a_mapping_in_the_order_of_registration(colours: Choices[str]) -> None:
    assert list(colours.items()) == [("red", "#f00"), ("blue", "#00f")]
    assert len(colours) == 2
    assert colours.require("blue") == "#00f"
    with pytest.raises(KeyError):
        colours["green"]


def test_an_unknown_name_is_refused_with_the_known_ones(colours: Choices[str]) -> None:
    with pytest.raises(ConfigError, match="--colour is 'green', but should be 'red' or 'blue'"):
        colours.require("green")


def test_the_help_names_all_and_the_default(colours: Choices[str]) -> None:
    assert colours.help("blue") == "red: as blood; blue (default): as the sky."


def test_a_source_may_declare_its_own_anew_and_no_other(colours: Choices[str]) -> None:
    colours.add("red", "#e00", "as blood", "here.red")
    assert colours["red"] == "#e00"
    with pytest.raises(ConfigError, match=r"--colour red of there\.red is taken by here\.red; give yours another name"):
        colours.add("red", "#d00", "", "there.red")


def test_the_decorator_registers_and_hands_back(colours: Choices[str]) -> None:
    with colours.restored():

        @colours.declare("grey", "as mice", lambda function: function())
        def grey() -> str:
            return "#888"

        assert colours["grey"] == grey() == "#888"
    assert "grey" not in colours
