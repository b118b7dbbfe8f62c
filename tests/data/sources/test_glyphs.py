"""The embedded characters: the same everywhere, told apart, as many as asked for."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kdzero_gp.data import Dataset, load_dataset
from kdzero_gp.data.sources import glyphs
from kdzero_gp.data.sources.glyphs import ALPHABET, FACES, Settings, read_settings
from kdzero_gp.errors import DataError
from kdzero_gp.tasks.presets import recipes_for, teacher_recipe_for
from kdzero_gp.tasks.recipe import GLYPHS, GLYPHS_TEACHER, TEACHER
from kdzero_gp.tasks.teacher.pretrain import cached_teacher

SMALL = "glyphs:classes=3,train=20,val=6,test=9,teacher=30,side=10"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KDZERO_GP_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture
def small() -> Dataset:
    return load_dataset(SMALL)


def test_splits_have_the_sizes_that_were_asked_for(small: Dataset) -> None:
    assert small.num_classes == 3
    assert small.teacher is not None
    assert [len(split) for split in (small.train, small.val, small.test, small.teacher)] == [20, 6, 9, 30]
    assert small.image_shape == (1, 10, 10)
    assert small.train.pixels.dtype == torch.uint8
    assert small.name == SMALL


def test_every_beginning_has_equally_many_of_each_class(small: Dataset) -> None:
    for split in (small.train, small.val, small.test, small.teacher):
        assert split is not None
        for end in range(1, len(split) + 1):
            counts = torch.bincount(split.labels[:end], minlength=3)
            assert counts.max() - counts.min() <= 1


def test_no_image_occurs_twice_among_the_splits(small: Dataset) -> None:
    assert small.teacher is not None
    everything = torch.cat([split.pixels for split in (small.train, small.val, small.test, small.teacher)])
    assert len(everything.flatten(1).unique(dim=0)) == 65


def test_the_second_time_they_are_read(small: Dataset, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = folder.glob("*.npz")

    def refuse(settings: Settings) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr(glyphs, "draw", refuse)
    assert load_dataset(SMALL).fingerprint() == small.fingerprint()
    monkeypatch.undo()
    monkeypatch.setenv("KDZERO_GP_DATA", str(folder))
    file.write_bytes(file.read_bytes()[:100])  # a damaged file is drawn anew
    assert load_dataset(SMALL).fingerprint() == small.fingerprint()
    assert file.stat().st_size > 100


def test_another_seed_gives_other_images_and_a_limit_the_first(small: Dataset) -> None:
    other = load_dataset(f"{SMALL},seed=1")
    assert other.fingerprint() != small.fingerprint()
    few = load_dataset(SMALL, limit=7)
    assert torch.equal(few.train.pixels, small.train.pixels[:7])
    assert torch.equal(few.test.pixels, small.test.pixels)


@pytest.mark.parametrize("face", [0, 1, 6, 11])
def test_a_shape_is_its_character(face: int) -> None:
    """Unturned and unstretched it is what its font draws at that size, in the middle of the image."""
    side, ink = 32, 0.85 * 32
    scale = glyphs.DRAWN / ink
    offset = glyphs.CANVAS / 2 - scale * side / 2
    font = ImageFont.truetype(str(glyphs._fonts() / f"{FACES[face]}.ttf"), ink)
    some = range(0, len(ALPHABET), 9)
    shapes, drawn = [], []
    for number in some:
        shapes.append(glyphs._shape(glyphs._Warp(number, face, (scale, 0.0, offset, 0.0, scale, offset)), side))
        left, top, right, bottom = font.getbbox(ALPHABET[number])
        image = Image.new("L", (side, side))
        place = ((side - left - right) / 2, (side - top - bottom) / 2)
        ImageDraw.Draw(image).text(place, ALPHABET[number], font=font, fill=255)
        drawn.append(np.asarray(image, dtype=np.float64))
    count = len(some)
    alike = np.corrcoef([image.ravel() for image in (*shapes, *drawn)])[:count, count:]
    assert alike.argmax(1).tolist() == list(range(count))
    assert np.median(alike.diagonal()) > 0.85  # hinting moves edges by parts of a pixel


def test_no_two_classes_have_one_form() -> None:
    """In none of four faces do the pixels of two classes overlap by 85 %, brought to one size and shifted to fit."""
    assert len(set(ALPHABET)) == len(ALPHABET) == 124
    missing = [_form("\ue0f0", face) for face in (0, 1, 4, 8)]
    forms = np.stack([[_form(character, face) for face in (0, 1, 4, 8)] for character in ALPHABET])
    assert all(not np.allclose(form, missing[place]) for each in forms for place, form in enumerate(each))
    shifts = [(down, right) for down in (-2, 0, 2) for right in (-2, 0, 2)]
    moved = np.stack([np.roll(forms, shift, (2, 3)) for shift in shifts])
    for one, two in combinations(range(len(forms)), 2):
        both = np.minimum(forms[one], moved[:, two]).sum((2, 3))
        share = 2 * both / (forms[one].sum((1, 2)) + forms[two].sum((1, 2)))
        assert share.max() < 0.85, ALPHABET[one] + ALPHABET[two]


def _form(character: str, face: int) -> NDArray[np.float64]:
    font = ImageFont.truetype(str(glyphs._fonts() / f"{FACES[face]}.ttf"), 96)
    image = Image.new("L", (256, 256))
    ImageDraw.Draw(image).text((64, 64), character, font=font, fill=255)
    image = image.crop(image.getbbox())
    longest = max(image.size)
    width, height = (max(1, round(24 * size / longest)) for size in image.size)
    square = Image.new("L", (24, 24))
    square.paste(image.resize((width, height), Image.Resampling.BILINEAR), ((24 - width) // 2, (24 - height) // 2))
    return np.asarray(square, dtype=np.float64) / 255


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes=1", r"classes is '1': Input should be greater than or equal to 2; write glyphs:classes=50,"),
        ("classes=125", r"classes is '125': Input should be less than or equal to 124"),
        ("side=big", r"side is 'big': Input should be a valid integer"),
        ("colour=3", r"glyphs has no setting 'colour'; write glyphs:classes=50,"),
        ("side=16,side=8", r"gives side twice"),
        ("train=49", r"train is 49, but each of the 50 classes needs an image; give at least train=50"),
        ("teacher=7", r"teacher is 7, but each of the 50 classes"),
    ],
)
def test_wrong_settings_are_explained(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_settings(text)


def test_wrong_texts_and_limits_are_explained() -> None:
    with pytest.raises(DataError, match="unknown data set 'glyphs:'"):
        load_dataset("glyphs:")
    with pytest.raises(DataError, match="limit of 2 training images leaves some of the 3 glyphs without one"):
        load_dataset(SMALL, limit=2)


def test_a_teacher_has_seen_its_own_images(small: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert small.for_teacher().train is small.teacher
    assert small.for_teacher().for_teacher().train is small.teacher
    alone = load_dataset(SMALL.replace("teacher=30", "teacher=0"))
    assert alone.teacher is None
    assert alone.for_teacher() is alone
    assert torch.equal(alone.train.pixels, small.train.pixels)
    assert alone.fingerprint() != small.fingerprint()
    seen: list[int] = []
    monkeypatch.setattr(
        "kdzero_gp.tasks.classification.kind.train_teacher",
        lambda model, data, recipe, **_: seen.append(len(data.train)),
    )
    for data in (small, alone):
        cached_teacher("cnn2", data, cache_dir=tmp_path)
    assert seen == [30, 20]


def test_the_recipes_are_those_of_the_glyphs() -> None:
    assert recipes_for(SMALL)[0] == recipes_for("glyphs")[0] == GLYPHS
    assert recipes_for("glyphs")[1].epochs == 2
    assert teacher_recipe_for(SMALL) == GLYPHS_TEACHER
    assert teacher_recipe_for("digits") == TEACHER
