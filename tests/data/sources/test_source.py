"""A data set of one's own: one file with a decorated loader, and the whole program has it."""

from collections.abc import Iterator

import pytest
import torch

from kdzero_gp.data import Dataset, Split, load_dataset
from kdzero_gp.data.sources.source import SOURCES, Source, data_help, source
from kdzero_gp.data.sources.split import SplitRules
from kdzero_gp.errors import DataError
from kdzero_gp.run.config import make_config
from kdzero_gp.tasks.input import parse_normalisation
from kdzero_gp.tasks.presets import fuse_for
from kdzero_gp.train.config import make_fit_config

FACTS = Source(
    "stripes:SIDE",
    ending=".stripes",
    mean=(0.5,),
    std=(0.25,),
    val_fraction=0.3,
    preset="general",
    augment="none",
    fuse=7,
)


@pytest.fixture(autouse=True)
def _own() -> Iterator[None]:
    with SOURCES.restored():

        @source(FACTS)
        def load_stripes(facts: Source, place: str, rules: SplitRules) -> Dataset:
            side = int(place.removesuffix(".stripes"))
            splits = [
                Split(torch.zeros(count, 1, side, side, dtype=torch.uint8), torch.arange(count) % 2)
                for count in (rules.limit or 8, round(10 * rules.val_fraction), 4)
            ]
            assert facts.mean is not None
            assert facts.std is not None
            return Dataset("stripes", 2, *splits, facts.mean, facts.std, facts.scale)

        yield


@pytest.mark.parametrize("text", ["stripes:6", "6.stripes"])
def test_it_is_loaded_by_what_a_user_types(text: str) -> None:
    data = load_dataset(text, limit=5)
    assert (data.image_shape, len(data.train), len(data.val)) == ((1, 6, 6), 5, 3)
    assert len(load_dataset(text, val_fraction=0.5).val) == 5


def test_help_and_messages_know_it() -> None:
    assert "stripes:SIDE" in data_help()
    with pytest.raises(DataError, match=r"Known: digits, .*stripes:SIDE, SIDE\.stripes"):
        load_dataset("stripes:")


def test_its_constants_recipe_and_augmentation_are_used() -> None:
    assert parse_normalisation("stripes") == ((0.5,), (0.25,))
    assert make_config(teacher_norm="stripes").teacher_norm == "stripes"
    config = make_fit_config(distiller="kd", data="stripes:6", student="resnet20")
    assert (config.preset, config.augment) == ("general", "none")
    assert (fuse_for("stripes:6"), fuse_for("npz:6")) == (7, 1)


@pytest.mark.parametrize(
    ("text", "place"), [("npz:a", "a"), ("a.npz", "a.npz"), ("npz:", None), ("npz", None), ("folder:a", None)]
)
def test_a_text_names_a_source_or_not(text: str, place: str | None) -> None:
    assert SOURCES["npz"].source.place_in(text) == place
