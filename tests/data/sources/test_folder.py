"""Folders of images: which images are for what, what is kept in memory, and every way a folder can be wrong."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kdzero_gp.data import Dataset, Split, load_dataset
from kdzero_gp.data.sources import folder
from kdzero_gp.data.sources.files import ImageFiles
from kdzero_gp.errors import DataError

LAYOUTS = {
    "classes alone": ((), (11, 1, 3)),
    "train alone": (("train",), (11, 1, 3)),
    "train and test": (("train", "test"), (13, 2, 15)),
    "train and val": (("train", "val"), (13, 2, 15)),
    "all three": (("train", "val", "test"), (15, 15, 15)),
}
"""Folders, and images of each class in train, val and test; each folder has 15 of a class."""


def contents(split: Split) -> list[tuple[bytes, int]]:
    """Image bytes in (H, W, C) order with their label."""
    return [
        (image.permute(1, 2, 0).contiguous().numpy().tobytes(), int(label))
        for image, label in zip(split.images[:], split.labels, strict=True)
    ]


def on_disk(root: Path, classes: tuple[str, ...]) -> list[tuple[bytes, int]]:
    return [
        (np.asarray(Image.open(path)).tobytes(), classes.index(path.parent.name))
        for path in root.rglob("*.png")
        if path.parent.name in classes
    ]


def counts(data: Dataset) -> list[list[int]]:
    return [torch.bincount(split.labels).tolist() for split in (data.train, data.val, data.test)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("memory", [folder.MEMORY, 0])
def test_every_image_is_in_one_split_and_classes_are_balanced(
    write_pictures, layout: str, memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "MEMORY", memory)
    folders, (train, val, test) = LAYOUTS[layout]
    for place, name in enumerate(folders or (".",)):
        root = write_pictures(f"{name}/b-cat", f"{name}/a dog", count=15, seed=place)
    data = load_dataset(f"folder:{root}")
    assert (data.name, data.num_classes, data.image_shape) == ("set", 2, (3, 9, 8))
    assert data.streamed is isinstance(data.val.images, ImageFiles) is (memory == 0)
    assert counts(data) == [[train] * 2, [val] * 2, [test] * 2]
    everything = contents(data.train) + contents(data.val) + contents(data.test)
    assert sorted(everything) == sorted(on_disk(root, ("a dog", "b-cat")))
    if "test" in folders or "val" in folders:
        test_folder = root / ("test" if "test" in folders else "val")
        assert sorted(contents(data.test)) == sorted(on_disk(test_folder, ("a dog", "b-cat")))


def test_which_images_are_streamed_and_their_size(write_pictures, tmp_path: Path) -> None:
    def shape(*arguments: object, suffix: str = "", **options: object) -> tuple[bool, tuple[int, int, int]]:
        shutil.rmtree(tmp_path / "set", ignore_errors=True)
        root = write_pictures("cat", "dog", **options)
        data = load_dataset(f"folder:{root}{suffix}")
        assert tuple(data.train.images[:2].shape[1:]) == data.image_shape
        return data.streamed, data.image_shape

    assert shape(size=(224, 30)) == (False, (3, 224, 30)), "one size, not above 224"
    assert shape(size=(225, 30)) == (True, (3, 224, 224)), "larger"
    assert shape(size=None) == (True, (3, 224, 224)), "different sizes"
    assert shape(size=None, suffix="@48") == (True, (3, 48, 48))
    assert shape(size=(9, 8), suffix="@9") == (True, (3, 9, 9))
    assert shape(size=(9, 9), suffix="@9") == (False, (3, 9, 9)), "it is their own"
    assert shape(size=(9, 8), mode="L") == (False, (1, 9, 8)), "grey"


def test_a_folder_whose_name_looks_like_a_size(write_pictures) -> None:
    root = write_pictures("cat", "dog")
    root.rename(root.with_name("set@64"))
    assert load_dataset(f"folder:{root}@64").image_shape == (3, 9, 8)
    with pytest.raises(DataError, match=r"is 7 pixels, but must be 8 … 2048"):
        load_dataset(f"folder:{root}@7")


def test_imagenet_has_its_own_rules(write_pictures) -> None:
    root = write_pictures("train/n01440764", "train/n01443537", count=50, size=None)
    write_pictures("val/n01440764", "val/n01443537", size=None, seed=1)
    (root / "test").mkdir()
    data = load_dataset(f"imagenet:{root}@32")
    assert (data.name, data.streamed, data.image_shape) == ("imagenet", True, (3, 32, 32))
    assert load_dataset(f"imagenet:{root}").image_shape == (3, 224, 224)
    assert counts(data) == [[48, 48], [2, 2], [4, 4]]
    assert (data.mean, data.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    shutil.rmtree(root / "val")
    with pytest.raises(DataError, match=r"has no folder val; sort ImageNet's validation images into .*/val/WNID"):
        load_dataset(f"imagenet:{root}")


def test_a_limit_takes_equally_many_of_each_class_before_the_validation_split(write_pictures) -> None:
    root = write_pictures("train/a", "train/b", "test/a", "test/b", count=20)
    write_pictures("train/rare", "test/rare", count=3, seed=5)
    data = load_dataset(f"folder:{root}", limit=15, val_fraction=0.3)
    assert counts(data) == [[4, 4, 2], [2, 2, 1], [20, 20, 3]]
    again = load_dataset(f"folder:{root}", limit=15, val_fraction=0.3)
    assert data.fingerprint() == again.fingerprint()
    assert data.fingerprint() != load_dataset(f"folder:{root}", limit=15, val_fraction=0.3, seed=1).fingerprint()
    with pytest.raises(DataError, match="limit of 2 training images leaves out some of the 3 classes"):
        load_dataset(f"folder:{root}", limit=2)


def test_constants_are_counted_over_training_images(write_pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_pictures("cat", "dog", count=12)
    kept = load_dataset(f"folder:{root}")
    floats = kept.train.images.double().numpy() / 255
    assert kept.mean == pytest.approx(tuple(floats.mean((0, 2, 3))))
    assert kept.std == pytest.approx(tuple(floats.std((0, 2, 3))))
    monkeypatch.setattr(folder, "MEMORY", 0)
    assert load_dataset(f"folder:{root}").mean == kept.mean, "a sample of all of them"
    monkeypatch.setattr(folder, "SAMPLE", 5)
    part = load_dataset(f"folder:{root}")
    assert part.mean == load_dataset(f"folder:{root}").mean != kept.mean


def test_streamed_data_are_known_by_names_and_sizes(write_pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MEMORY", 0)
    root = write_pictures("cat", "dog")
    first = load_dataset(f"folder:{root}").fingerprint()
    moved = shutil.copytree(root, root.with_name("copy"))
    assert load_dataset(f"folder:{moved}").fingerprint() == first
    with (moved / "cat" / "2.png").open("ab") as file:
        file.write(b"!")
    assert load_dataset(f"folder:{moved}").fingerprint() != first
    (root / "cat" / "2.png").rename(root / "cat" / "22.png")
    assert load_dataset(f"folder:{root}").fingerprint() != first


def test_other_files_are_passed_over_and_links_are_followed(write_pictures) -> None:
    root = write_pictures("cat/deep/er", "dog")
    (root / "README.md").write_text("about")
    (root / ".hidden").mkdir()
    (root / "cat" / "Thumbs.db").write_bytes(b"x")
    (root / "cat" / ".9.png").write_bytes(b"no image")
    (root / "dog" / "extra").symlink_to(root / "cat" / "deep")
    data = load_dataset(f"folder:{root}")
    assert [sum(column) for column in zip(*counts(data), strict=True)] == [4, 8]


def break_class(root: Path) -> None:
    shutil.rmtree(root / "test" / "dog")


def strange_class(root: Path) -> None:
    (root / "train" / "dog").rename(root / "train" / "wolf")


def empty_class(root: Path) -> None:
    (root / "train" / "empty").mkdir()


def loop(root: Path) -> None:
    (root / "train" / "cat" / "again").symlink_to(root / "train")


def broken_link(root: Path) -> None:
    (root / "train" / "cat" / "gone.png").symlink_to(root / "nowhere.png")


def pipe(root: Path) -> None:
    os.mkfifo(root / "train" / "cat" / "pipe.png")


def no_image(root: Path) -> None:
    (root / "train" / "cat" / "2.png").write_bytes(b"hello")


def cut_off(root: Path) -> None:
    path = root / "train" / "cat" / "2.png"
    path.write_bytes(path.read_bytes()[:-60])


def deep_pixels(root: Path) -> None:
    Image.fromarray(np.full((9, 8), 40_000, np.uint16)).save(root / "train" / "cat" / "2.png")


def no_train(root: Path) -> None:
    (root / "train").rename(root / "training")


def one_class(root: Path) -> None:
    for name in ("train", "test"):
        shutil.rmtree(root / name / "dog")


def loose(root: Path) -> None:
    for path in (root / "train" / "cat").iterdir():
        path.rename(root / "train" / path.name)
    for name in ("cat", "dog"):
        shutil.rmtree(root / "train" / name)


def lonely(root: Path) -> None:
    for number in (1, 2, 3):
        (root / "train" / "cat" / f"{number}.png").unlink()


BROKEN = {
    break_class: r"train has the class dog, but .*test has no folder of that name",
    strange_class: r"train has the class wolf, but .*test has no folder",
    empty_class: r"the class .*/train/empty has no images",
    loop: r"train/cat/again is a link that leads back to .*/train, so it would never end",
    broken_link: r"train/cat/gone.png cannot be opened .*broken link",
    pipe: r"train/cat/pipe.png is named like an image, but is no regular file",
    no_image: r"train/cat/2.png cannot be read as an image \(cannot identify image file\); get it again",
    cut_off: r"train/cat/2.png cannot be read as an image",
    deep_pixels: r"train/cat/2.png has pixels of type I;16, more than 8 bits each",
    no_train: r"has no folder train; put training images into .*/train/CLASS",
    one_class: r"train has 1 class, cat, but",
    loose: r"train has images, but no folders of classes; put the images of each class",
    lonely: r"class 0 has 1 training image, but needs at least 2",
}


@pytest.mark.parametrize("fault", BROKEN, ids=lambda fault: fault.__name__)
def test_a_broken_folder_is_named(write_pictures, fault) -> None:
    root = write_pictures("train/cat", "train/dog", "test/cat", "test/dog")
    fault(root)
    with pytest.raises(DataError, match=BROKEN[fault]):
        load_dataset(f"folder:{root}")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        load_dataset(f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(DataError, match=r"has no folders of classes"):
        load_dataset(f"folder:{tmp_path}")
    with pytest.raises(DataError, match=r"unknown data set 'folder:'"):
        load_dataset("folder:")


def test_validation_images_of_their_own_folder_can_be_trained_on(
    write_pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kdzero_gp.data.sources.all_images import on_all_images

    monkeypatch.setattr(folder, "MEMORY", 0)
    for place, name in enumerate(("train", "val", "test")):
        root = write_pictures(f"{name}/cat", f"{name}/dog", seed=place)
    data = load_dataset(f"folder:{root}")
    assert contents(on_all_images(data).train) == contents(data.train) + contents(data.val)
