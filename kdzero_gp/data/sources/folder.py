"""`folder:PATH` and `imagenet:PATH`: images in folders, one for each class, kept in memory or streamed.

Which images are for what:

- PATH/train/CLASS/* with PATH/test/CLASS/* or PATH/val/CLASS/* beside it: that other folder is the test set. Where both
  are there, `val` is the validation split and `test` the test set.
- PATH/train/CLASS/* alone, or PATH/CLASS/* directly: a class-balanced 20 % become the test set.
- Without a validation split of its own: a class-balanced 10 % (ImageNet: 4 %) of the training images.

In memory stay images that all have one size, of at most 224 pixels a side, and together at most 1 GiB. All others are
streamed: decoded anew whenever they are needed, and brought to 224x224 unless they have one smaller size. `@SIZE`
behind the path, as in `folder:PATH@96`, brings all images to another size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kdzero_gp.data.dataset import Dataset, Split, channel_statistics
from kdzero_gp.data.sources.decode import GREY, Decoder, Header, header
from kdzero_gp.data.sources.files import ImageFiles, decoders
from kdzero_gp.data.sources.image_folder import Listing, listed, require_same_classes
from kdzero_gp.data.sources.source import Source, source
from kdzero_gp.data.sources.split import SplitRules, balanced_order, stratified
from kdzero_gp.errors import DataError
from kdzero_gp.untrusted import user_path

MEMORY = 2**30
"""Bytes of pixels up to which a folder is kept in memory."""
SIDE = 224
"""Height and width that images are brought to which differ in size, or are larger."""
SMALLEST_SIDE, LARGEST_SIDE = 8, 2048
SAMPLE = 512
"""Images from which a streamed folder's mean and deviation are counted."""


@dataclass(frozen=True)
class Parts:
    """The files of the three splits."""

    train: Listing
    val: Listing
    test: Listing

    def __iter__(self) -> Iterator[Listing]:
        return iter((self.train, self.val, self.test))


IMAGENET = Source(
    "imagenet:PATH",
    dataset="imagenet",
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    val_fraction=0.04,
    side=224,
    preset="imagenet",
)
"""ILSVRC 2012: its `val` is the test set; 4 % of the training images, about 50,000, are for validation."""


@source(IMAGENET)
@source(Source("folder:PATH"))
def load_folder(facts: Source, place: str, rules: SplitRules) -> Dataset:
    """Lists a folder, splits it and reads it, or readies it to be streamed.

    Args:
        facts: its `side` makes a folder streamed whose headers need not be read; its constants are used if there are.
        place: path of the folder, `@SIZE` behind it or not; `~` is expanded.
        rules: a limit takes equally many training images of every class, as far as there are any.

    Raises:
        DataError: names the folder or file, what is wrong with it, the rule and the way out.
    """
    path, side = _sized(place)
    root = user_path(path)
    parts = _parts(root, rules, facts)
    decoder = _decoder(parts, side or facts.side, look=facts.side is None)
    files = [ImageFiles(listing, decoder) for listing in parts]
    size = sum(len(images) for images in files) * decoder.height * decoder.width * decoder.channels
    streamed = decoder.resize or size > MEMORY
    train, val, test = (
        Split(images if streamed else images[:], torch.from_numpy(images.listing.labels)) for images in files
    )
    mean, std = facts.mean, facts.std
    if mean is None or std is None:
        counted = _sample(files[0], rules.seed) if streamed else train.images[:]
        mean, std = channel_statistics(counted, facts.scale)
    name = facts.dataset or root.resolve().name
    return Dataset(name, len(parts.train.classes), train, val, test, mean, std, facts.scale)


def _sized(place: str) -> tuple[str, int | None]:
    """Splits a text into folder and size; a folder of the whole name goes first."""
    match = re.fullmatch(r"(.+)@(\d{1,9})", place)
    if match is None or user_path(place).exists():
        return place, None
    side = int(match[2])
    if not SMALLEST_SIDE <= side <= LARGEST_SIDE:
        raise DataError(
            f"the size of the images of {match[1]} is {side} pixels, but must be {SMALLEST_SIDE} … {LARGEST_SIDE}"
        )
    return match[1], side


def _sample(images: ImageFiles, seed: int) -> Tensor:
    chosen = np.random.RandomState(seed).permutation(len(images))[:SAMPLE]
    return images.read([int(number) for number in np.sort(chosen)])


def _parts(root: Path, rules: SplitRules, facts: Source) -> Parts:
    if not root.is_dir():
        raise DataError(f"there is no folder {root}; give the path of one that holds train/CLASS/* or CLASS/*")
    has = {name: (root / name).is_dir() for name in ("train", "val", "test")}
    if not has["train"] and (has["test"] or has["val"] or facts.dataset is not None):
        raise DataError(
            f"{root} has no folder train; put training images into {root / 'train'}/CLASS, one folder for each class"
        )
    train = listed(root / "train" if has["train"] else root)
    if len(train.classes) < 2:
        raise DataError(f"{train.root} has 1 class, {train.classes[0]}, but a classifier needs at least 2 folders")
    if facts.dataset is not None and not has["val"]:
        raise DataError(
            f"{root} has no folder val; sort ImageNet's validation images into {root / 'val'}/WNID, one folder for "
            "each class, as for training"
        )
    own = ("val",) if facts.dataset is not None else ("val", "test")  # ImageNet's test images have no labels
    given = {name: listed(root / name) for name in own if has["train"] and has[name]}
    for listing in given.values():
        require_same_classes(train, listing)
    if given:
        test = given.pop("test", None) or given.pop("val")
    else:
        kept, taken = stratified(train.labels, rules.test_fraction, seed=rules.seed, purpose="test")
        train, test = train.take(kept), train.take(taken)
    if rules.limit is not None:
        if rules.limit < len(train.classes):
            raise DataError(
                f"the limit of {rules.limit} training images leaves out some of the {len(train.classes)} classes of "
                f"{train.root}, but every class needs an image; raise the limit"
            )
        train = train.take(np.sort(balanced_order(train.labels, rules.seed)[: rules.limit]))
    if "val" in given:
        return Parts(train, given["val"], test)
    kept, taken = stratified(train.labels, rules.val_fraction, seed=rules.seed, purpose="validation")
    return Parts(train.take(kept), train.take(taken), test)


def _decoder(parts: Parts, side: int | None, *, look: bool) -> Decoder:
    """Chooses the decoder of the files: by the size asked for, or by the size that all headers state."""
    if not look:
        return Decoder(side or SIDE, side or SIDE, 3, resize=True)
    headers = list(_headers(listing.root / name for listing in parts for name in listing.names))
    channels = 1 if all(found.mode in GREY for found in headers) else 3
    sizes = {(found.height, found.width) for found in headers}
    height, width = next(iter(sizes))
    if len(sizes) == 1 and ((height, width) == (side, side) if side else max(height, width) <= SIDE):
        return Decoder(height, width, channels, resize=False)
    return Decoder(side or SIDE, side or SIDE, channels, resize=True)


def _headers(paths: Iterable[Path]) -> Iterator[Header]:
    with ThreadPoolExecutor(decoders()) as pool:
        yield from pool.map(header, paths)
