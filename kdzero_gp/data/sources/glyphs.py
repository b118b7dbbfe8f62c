"""`glyphs`: characters of the DejaVu faces that matplotlib brings, turned, sheared, shaded and noisy; no download.

Letters, figures and signs of six scripts, of which no two classes have one form (in four faces, brought to one size,
the pixels of any two overlap by less than 85 %): no O, 0 and o, no capital that is its small letter enlarged. Every
image is drawn anew from one of twelve faces, so a split of any size can be had, and its last digits mean something.
"""

from __future__ import annotations

import os
import zipfile
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kdzero_gp.data.dataset import Dataset, channel_statistics
from kdzero_gp.data.sources.arrays import Arrays
from kdzero_gp.data.sources.cifar import data_folder
from kdzero_gp.data.sources.in_memory import split_of
from kdzero_gp.data.sources.source import Source, source
from kdzero_gp.data.sources.split import SplitRules
from kdzero_gp.errors import DataError
from kdzero_gp.whole_file import write_whole

if TYPE_CHECKING:
    from PIL.Image import Image

ALPHABET = (
    "ABDFGHJKLMQTUVWXYZabdefgknr234567&@#%?$+=§¶ΞΣΦΨΩαβεζλμσφωДЖЙЛЦШЪЫЭЮЯдфчщ"
    "ԲԳԴԵԶԸԹԻԽԾԿՀՃՅՆՇՉՊՎՔՖაბგდეთიკლმნრტფქღცჭჯჰÆŒßØŊƔƖƱƷƿǂ"
)
"""The classes, in order: Latin, figures and signs, Greek, Cyrillic, Armenian, Georgian, more Latin."""

FACES = tuple(
    f"DejaVu{family}{style}"
    for family, styles in {
        "Sans": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "SansMono": ("", "-Bold", "-Oblique", "-BoldOblique"),
        "Serif": ("", "-Bold", "-Italic", "-BoldItalic"),
    }.items()
    for style in styles
)
DRAWN = 64
"""Pixels of an em in the drawing that images are sampled from."""
CANVAS = 128
"""Side of that drawing."""
SPLITS = ("train", "val", "test", "teacher")
VERSION = 1
"""Of the way in which images are made; another one has files of its own."""
FORM = "glyphs:classes=50,train=2000,val=1000,test=10000,teacher=20000,side=16,seed=0"


class Settings(BaseModel):
    """What a user can write behind `glyphs:`, names and numbers in any order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    classes: int = Field(50, ge=2, le=len(ALPHABET))
    train: int = Field(2000, ge=4, le=10**6)
    val: int = Field(1000, ge=2, le=10**6)
    test: int = Field(10000, ge=2, le=10**6)
    teacher: int = Field(20000, ge=0, le=10**6)
    side: int = Field(16, ge=8, le=128)
    seed: int = Field(0, ge=0, lt=2**31)


class _Warp(NamedTuple):
    """How one image is made: `(x, y)` of an image is looked up at `a x + b y + c, d x + e y + f` of a drawing."""

    character: int
    face: int
    matrix: tuple[float, float, float, float, float, float]


@source(Source("glyphs", dataset="glyphs", settings="classes=50", preset="glyphs", augment="none"))
def load_glyphs(facts: Source, place: str, rules: SplitRules) -> Dataset:
    """Draws the images, or reads those drawn before from `$KDZERO_GP_DATA` (`~/.cache/kdzero_gp/data`).

    All splits are drawn independently, with equally many images of each class (one more of the first ones). The
    teacher has images of its own, more than its student: a teacher that has seen as little as its student knows little
    that the labels do not tell. With `teacher=0` it is trained on its student's.

    Args:
        place: settings, such as `classes=20,train=4000`; what is not named is as in FORM.
        rules: a limit keeps the first training images, which are equally many of each class.

    Raises:
        DataError: unknown settings, or a limit that leaves a class without an image.
    """
    settings = read_settings(place)
    x, y = _stored(settings)
    if rules.limit is not None and rules.limit < settings.classes:
        raise DataError(
            f"the limit of {rules.limit} training images leaves some of the {settings.classes} glyphs without one; "
            "raise the limit"
        )
    first = min(rules.limit or settings.train, settings.train)
    ends = np.cumsum([0, *(getattr(settings, split) for split in SPLITS)])
    parts = [Arrays(x[start:end], y[start:end]) for start, end in pairwise(ends)]
    train, val, test, teacher = (split_of(part, None) for part in (parts[0].take(np.arange(first)), *parts[1:]))
    mean, std = channel_statistics(train.images[:], facts.scale)
    name = f"{facts.name}:{place}" if place else facts.name
    more = teacher if settings.teacher else None
    return Dataset(name, settings.classes, train, val, test, mean, std, facts.scale, more)


def read_settings(text: str) -> Settings:
    """Reads `NAME=NUMBER,…`.

    Raises:
        DataError: names what is wrong, its rule, and a form that works.
    """
    given: dict[str, str] = {}
    for part in filter(None, text.split(",")):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name in given:
            raise DataError(f"glyphs:{text} gives {name} twice; write each once, as in {FORM}")
        given[name] = number
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            raise DataError(f"glyphs has no setting '{name}'; write {FORM}, or some of it") from None
        raise DataError(f"glyphs: {name} is '{given[name]}': {fault['msg']}; write {FORM}, or some of it") from None
    for split in SPLITS:
        if (number := getattr(settings, split)) < settings.classes and (split, number) != ("teacher", 0):
            raise DataError(
                f"glyphs: {split} is {number}, but each of the {settings.classes} classes needs an image; give at "
                f"least {split}={settings.classes}"
            )
    return settings


def _stored(settings: Settings) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images (N, 1, H, W) and labels of all splits: from the file of these settings, which is written if it is missing.

    A file that cannot be read is written anew: nothing in it is the user's.
    """
    numbers = "-".join(str(number) for number in settings.model_dump().values())
    path = data_folder() / f"glyphs-{VERSION}-{numbers}.npz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{path.name}.lock")):
            try:
                with np.load(path, allow_pickle=False) as archive:
                    return archive["x"], archive["y"]
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, EOFError):
                x, y = draw(settings)
                buffer = BytesIO()
                np.savez_compressed(buffer, x=x, y=y)
                write_whole(path, buffer.getvalue(), then="run this again", error=DataError)
                return x, y
    except OSError:  # a folder where nothing can be written: the same images, drawn each time
        return draw(settings)


def draw(settings: Settings) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draws all images of all splits, one behind the other.

    Returns:
        (N, 1, side, side) uint8 and (N,) int64.
    """
    images, labels = [], []
    for number, split in enumerate(SPLITS):
        count = getattr(settings, split)
        random = np.random.RandomState([settings.seed, number])  # its stream is frozen by numpy's policy
        if not count:
            continue
        classes = np.arange(count) % settings.classes
        for start in range(0, count, settings.classes):  # so that every beginning has all classes
            random.shuffle(classes[start : start + settings.classes])
        shapes = np.stack([_shape(warp, settings.side) for warp in _warps(classes, settings.side, random)])
        images.append(_shade(shapes, random))
        labels.append(classes)
    return np.concatenate(images)[:, None], np.concatenate(labels).astype(np.int64)


def _warps(classes: NDArray[np.int64], side: int, random: np.random.RandomState) -> list[_Warp]:
    """Turns by up to 30°, shears by up to 0.3, stretches either side by 0.75 to 1.15, shifts by up to an eighth."""
    count = len(classes)
    faces = random.randint(len(FACES), size=count)
    angle = np.deg2rad(random.uniform(-30, 30, count))
    shear = random.uniform(-0.3, 0.3, count)
    stretch = random.uniform(0.75, 1.15, (count, 2))
    shift = random.uniform(-side / 8, side / 8, (count, 2))
    scale = DRAWN / (0.85 * side)  # an em is a little less than an image
    found = []
    for i in range(count):
        turn = np.array([[np.cos(angle[i]), -np.sin(angle[i])], [np.sin(angle[i]), np.cos(angle[i])]])
        forward = turn @ np.array([[1, shear[i]], [0, 1]]) @ np.diag(stretch[i])
        back = scale * np.linalg.inv(forward)
        offset = CANVAS / 2 - back @ (shift[i] + side / 2)
        rows = np.column_stack([back, offset]).round(6)
        found.append(_Warp(int(classes[i]), int(faces[i]), tuple(float(number) for number in rows.ravel())))  # type: ignore[arg-type]
    return found


def _shape(warp: _Warp, side: int) -> NDArray[np.float64]:
    """Renders one character, 1 where there is ink, at four times the size and averaged."""
    from PIL.Image import Resampling, Transform

    a, b, c, d, e, f = (number / 4 if place in (0, 1, 3, 4) else number for place, number in enumerate(warp.matrix))
    large = _drawing(warp.character, warp.face).transform(
        (4 * side, 4 * side), Transform.AFFINE, (a, b, c, d, e, f), Resampling.BILINEAR
    )
    return np.asarray(large.reduce(4), dtype=np.float64) / 255


def _shade(shapes: NDArray[np.float64], random: np.random.RandomState) -> NDArray[np.uint8]:
    """Gives each shape (N, H, W) paper and ink of two greys, light that falls from one side, and noise.

    Ink differs from paper by 0.35 to 1 of the range, darker as often as lighter; noise has a standard deviation of up
    to 0.1 of it. What leaves the range is brought back by one shift and factor for all pixels of an image.
    """
    count, side = len(shapes), shapes.shape[1]
    paper = random.uniform(0, 1, (count, 1, 1))
    contrast = random.uniform(0.35, 1, (count, 1, 1)) * np.where(random.uniform(size=(count, 1, 1)) < 0.5, -1, 1)
    across = np.linspace(-1, 1, side)
    slope = random.uniform(-0.3, 0.3, (count, 2, 1, 1))
    light = slope[:, 0] * across[None, None, :] + slope[:, 1] * across[None, :, None]
    noise = random.normal(size=shapes.shape) * random.uniform(0, 0.1, (count, 1, 1))
    pixels = paper + contrast * shapes + light + noise
    low = np.minimum(pixels.min((1, 2), keepdims=True), 0)
    high = np.maximum(pixels.max((1, 2), keepdims=True), 1)
    whole: NDArray[np.uint8] = np.round(255 * (pixels - low) / (high - low)).astype(np.uint8)
    return whole


@cache
def _drawing(character: int, face: int) -> Image:
    """Gives one character of one face, large, its outline's middle in the middle of the canvas."""
    from PIL import ImageDraw, ImageFont
    from PIL.Image import new

    font = ImageFont.truetype(str(_fonts() / f"{FACES[face]}.ttf"), DRAWN, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = font.getbbox(ALPHABET[character])
    image = new("L", (CANVAS, CANVAS))
    place = (CANVAS / 2 - (left + right) / 2, CANVAS / 2 - (top + bottom) / 2)
    ImageDraw.Draw(image).text(place, ALPHABET[character], font=font, fill=255)
    return image


def _fonts() -> Path:
    import matplotlib

    return Path(os.fspath(matplotlib.get_data_path())) / "fonts" / "ttf"
