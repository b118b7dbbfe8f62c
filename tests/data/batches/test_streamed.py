"""Streamed images: the bits of the same images in memory, whoever decodes them, whatever was asked for before."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from kdzero_gp.data import Augmentation, Dataset, ImageBatches, StreamedBatches, image_batches, load_dataset
from kdzero_gp.data.batches.loader import AHEAD, Loader
from kdzero_gp.data.sources import folder
from kdzero_gp.data.sources.files import ImageFiles, decoders
from kdzero_gp.errors import ConfigError, DataError

CROP_FLIP = Augmentation(padding=2, flip=True, views=3)
STRONG = Augmentation(padding=2, flip=True, views=3, strong=True)
RESIZED = Augmentation(flip=True, views=100, area=(0.08, 1.0))
NUMBERS = torch.tensor([5, 0, 11, 5, 8])


@pytest.fixture
def pair(write_pictures, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Dataset]:
    """One folder, in memory and streamed."""
    root = write_pictures("cat", "dog", count=10)
    kept = load_dataset(f"folder:{root}")
    monkeypatch.setattr(folder, "MEMORY", 0)
    return kept, load_dataset(f"folder:{root}")


@pytest.fixture
def mixed(write_pictures) -> Dataset:
    """Images of many sizes, brought to 24x24."""
    return load_dataset(f"folder:{write_pictures('cat', 'dog', count=10, size=None)}@24")


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("augmentation", [None, CROP_FLIP, STRONG], ids=["plain", "crop-flip", "strong"])
def test_streamed_images_are_those_in_memory(
    pair: tuple[Dataset, Dataset], augmentation: Augmentation | None, channels_last: bool
) -> None:
    served = [
        image_batches(data, data.train, *[augmentation] * (augmentation is not None), channels_last=channels_last)
        for data in pair
    ]
    assert [type(batches) for batches in served] == [ImageBatches, StreamedBatches]
    assert len(served[0]) == len(served[1])
    assert served[0].pixels == served[1].pixels
    for view in (None,) if augmentation is None else (None, 0, 2):
        kept, streamed = (batches(NUMBERS, view) for batches in served)
        assert torch.equal(kept, streamed)
        assert kept.stride() == streamed.stride()


def expected_crops(data: Dataset, numbers: Tensor, view: int) -> Tensor:
    """Each image by itself: the crop that is drawn for it, Pillow's resizing, the mirror image, the normalisation."""
    files = data.train.images
    flip = RESIZED.shifts(view, len(files)).flip
    images = []
    for number in numbers.tolist():
        image = Image.open(files.listing.root / files.listing.names[number]).convert("RGB")
        box = RESIZED.crop(view, number).box(image.height, image.width)
        part = image.crop((box.left, box.top, box.left + box.width, box.top + box.height))
        pixels = torch.from_numpy(np.array(part.resize((24, 24), Image.Resampling.BILINEAR))).permute(2, 0, 1)
        images.append(pixels.flip(2) if flip[number] else pixels)
    return data.normalise(torch.stack(images))


def test_random_resized_crops_are_those_of_a_plain_loop(mixed: Dataset) -> None:
    batches = StreamedBatches(mixed, mixed.train, RESIZED)
    for view in (0, 77):
        assert torch.equal(batches(NUMBERS, view), expected_crops(mixed, NUMBERS, view))
    assert not torch.equal(batches(NUMBERS, 0), batches(NUMBERS, 1))
    assert torch.equal(batches(NUMBERS), mixed.normalise(mixed.train.images.read(NUMBERS.tolist())))


def test_neither_threads_nor_plans_change_a_batch(mixed: Dataset) -> None:
    order = [(torch.randperm(len(mixed.train))[:6], epoch) for epoch in range(8)]
    alone = [StreamedBatches(mixed, mixed.train, RESIZED, threads=1)(*request) for request in order]
    for threads in (1, 2, 5):
        batches = StreamedBatches(mixed, mixed.train, RESIZED, threads=threads)
        batches.follow(iter(order))
        for place, request in enumerate(order):
            if place == 3:
                batches(NUMBERS, 9)  # something between that was not planned
            assert torch.equal(batches(*request), alone[place])
        batches.follow(order[4:])  # goes on in the middle, and then leaves the plan
        assert torch.equal(batches(*order[4]), alone[4])
        assert torch.equal(batches(*order[1]), alone[1])


def test_what_is_planned_is_decoded_ahead_and_once() -> None:
    seen: list[tuple[int, int | None]] = []

    def decode(number: int, view: int | None) -> np.ndarray:
        seen.append((number, view))
        return np.full((1, 1, 1), number, np.uint8)

    loader = Loader(decode, (1, 1, 1), threads=1)
    plan = [(torch.tensor([2 * step, 2 * step + 1]), step) for step in range(6)]
    loader.follow(plan)
    for step, request in enumerate(plan):
        assert loader(*request).flatten().tolist() == [2 * step, 2 * step + 1]
        ready = min(2 * (step + 1 + AHEAD), 12)
        loader._pool.submit(int).result()  # the one thread has done all that was begun
        assert seen == [(number, number // 2) for number in range(ready)]
    assert loader(torch.tensor([9]), None).item() == 9


def test_a_file_that_breaks_while_it_is_used_is_named_and_the_rest_goes_on(mixed: Dataset) -> None:
    files = mixed.train.images
    batches = StreamedBatches(mixed, mixed.train, RESIZED, threads=2)
    path = files.listing.root / files.listing.names[5]
    good = path.read_bytes()
    path.write_bytes(good[:100])
    with pytest.raises(DataError, match=rf"{path.name} cannot be read as an image"):
        batches(NUMBERS, 0)
    assert batches(torch.tensor([1, 2]), 0).shape == (2, 3, 24, 24)
    path.write_bytes(good)
    assert torch.equal(batches(NUMBERS, 0), expected_crops(mixed, NUMBERS, 0))


def test_slices_of_files_are_tensors(pair: tuple[Dataset, Dataset]) -> None:
    kept, streamed = (data.train.images for data in pair)
    assert isinstance(streamed, ImageFiles)
    assert streamed.shape == tuple(kept.shape)
    for part in (slice(None), slice(2), slice(3, 99), slice(-2, None)):
        assert torch.equal(streamed[part], kept[part])


def test_random_resized_crops_need_files(pair: tuple[Dataset, Dataset]) -> None:
    with pytest.raises(ConfigError, match=r"area is \(0.08, 1.0\), but .*set is in memory; use a padding"):
        ImageBatches(pair[0], pair[0].train, RESIZED)
    with pytest.raises(TypeError, match="StreamedBatches"):
        ImageBatches(pair[1], pair[1].train)
    with pytest.raises(TypeError, match="ImageBatches"):
        StreamedBatches(pair[0], pair[0].train)


def test_the_number_of_threads_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDZERO_GP_DECODERS", raising=False)
    assert 1 <= decoders() <= 16
    monkeypatch.setenv("KDZERO_GP_DECODERS", "3")
    assert decoders() == 3
    for wrong in ("0", "-1", "many"):
        monkeypatch.setenv("KDZERO_GP_DECODERS", wrong)
        with pytest.raises(ConfigError, match=rf"KDZERO_GP_DECODERS is '{wrong}', but must be a number of threads"):
            decoders()


@pytest.mark.gpu
def test_on_a_gpu_batches_are_those_of_the_cpu(mixed: Dataset, tmp_path: Path) -> None:
    there, here = (StreamedBatches(mixed, mixed.train, RESIZED, device=device) for device in ("cuda", "cpu"))
    there.follow([(NUMBERS, 0), (NUMBERS, 1)])
    for view in (0, 1):
        torch.testing.assert_close(there(NUMBERS, view).cpu(), here(NUMBERS, view))
