"""A file as pixels: what torchvision's transforms give, and what becomes of other colours."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import transforms
from torchvision.transforms import functional

from kdzero_gp.data.augment.crop_box import Crop
from kdzero_gp.data.sources.decode import Decoder, header
from kdzero_gp.errors import DataError

RGB = Decoder(24, 24, 3, resize=True)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A smooth JPEG with sides that do not divide evenly."""
    rows, columns = np.mgrid[:61, :83]
    pixels = np.stack([rows * 4, columns * 3, (rows * columns) % 256], axis=2).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.JPEG", quality=90)
    return tmp_path / "photo.JPEG"


@pytest.mark.parametrize("size", [24, 224])
def test_the_centre_is_that_of_torchvision(photo: Path, size: int) -> None:
    usual = transforms.Compose([transforms.Resize(round(size * 256 / 224)), transforms.CenterCrop(size)])
    expected = np.asarray(usual(Image.open(photo).convert("RGB")))
    assert np.array_equal(Decoder(size, size, 3, resize=True)(photo), expected)


@pytest.mark.parametrize(("height", "width"), [(1, 9000), (9000, 1), (2, 100)])
def test_a_strip_takes_no_memory(tmp_path: Path, height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    resized: list[Image.Image] = []
    resize = functional.resize
    monkeypatch.setattr(functional, "resize", lambda *arguments: resized.append(resize(*arguments)) or resized[-1])
    path = tmp_path / "strip.png"
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[height * 2 // 5 : height * 3 // 5 + 1, width * 2 // 5 : width * 3 // 5 + 1] = 200
    Image.fromarray(pixels).save(path)
    centre = RGB(path)
    assert centre.shape == (24, 24, 3)
    assert (centre == 200).all(), "the middle of the strip"
    assert max(resized[0].size) <= 8 * 27


def test_a_crop_is_that_of_torchvision(photo: Path) -> None:
    crop = Crop((7, 0, 3, 1, 5), (0.08, 1.0))
    box = crop.box(61, 83)
    expected = functional.resized_crop(
        Image.open(photo).convert("RGB"), box.top, box.left, box.height, box.width, [24, 24]
    )
    assert np.array_equal(RGB(photo, crop), np.asarray(expected))


def test_colours_of_every_kind(tmp_path: Path) -> None:
    colour = Image.new("RGB", (8, 8), (200, 100, 50))
    palette, pale = colour.quantize(4), colour.convert("RGBA")
    pale.putalpha(10)
    palette_alpha = pale.quantize(4, method=Image.Quantize.FASTOCTREE)
    plain = Decoder(8, 8, 3, resize=False)
    for name, image, expected in (
        ("palette.png", palette, (200, 100, 50)),
        ("alpha.png", pale, (200, 100, 50)),
        ("grey.png", Image.new("L", (8, 8), 90), (90, 90, 90)),
        ("bits.png", Image.new("1", (8, 8), 1), (255, 255, 255)),
        ("grey_alpha.png", Image.new("LA", (8, 8), (90, 0)), (90, 90, 90)),
        ("cmyk.tif", Image.new("CMYK", (8, 8), (0, 255, 0, 0)), (255, 0, 255)),
    ):
        image.save(tmp_path / name)
        pixels = plain(tmp_path / name)
        assert pixels.shape == (8, 8, 3)
        assert (pixels == np.array(expected)).all(), name
    palette_alpha.save(tmp_path / "pale.png", transparency=0)
    assert plain(tmp_path / "pale.png").shape == (8, 8, 3)
    grey = Decoder(8, 8, 1, resize=False)(tmp_path / "grey.png")
    assert grey.shape == (8, 8, 1)
    assert (grey == 90).all()
    assert header(tmp_path / "grey_alpha.png").mode == "LA"


def test_what_cannot_be_used_is_named(photo: Path, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.float32)).save(tmp_path / "deep.tif")
    for read in (RGB, header):
        with pytest.raises(DataError, match=r"deep.tif has pixels of type F, more than 8 bits each"):
            read(tmp_path / "deep.tif")
        with pytest.raises(DataError, match=r"gone.png cannot be read as an image \(.*No such file"):
            read(tmp_path / "gone.png")
    photo.write_bytes(photo.read_bytes()[:700])
    with pytest.raises(DataError, match=r"photo.JPEG cannot be read as an image \(.*truncated"):
        RGB(photo)
    Image.new("RGB", (8, 9)).save(tmp_path / "other.png")
    with pytest.raises(DataError, match=r"other.png is 9x8 .* are 8x8; it was changed"):
        Decoder(8, 8, 3, resize=False)(tmp_path / "other.png")


def test_a_gigantic_image_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (300, 300)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(DataError, match=r"bomb.png cannot be read as an image \(Image size .* exceeds limit"):
        header(tmp_path / "bomb.png")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")
@pytest.mark.parametrize("kind", ["png", "jpg", "bmp", "tif", "webp", "ppm"])
def test_damaged_files_are_read_or_named_and_never_anything_else(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**6)  # a damaged size is not to fill the memory
    random = np.random.RandomState(0)
    path = tmp_path / f"image.{kind}"
    Image.fromarray(random.randint(0, 256, (20, 20, 3)).astype(np.uint8)).save(path)
    whole = path.read_bytes()
    named: list[bool] = []
    for _ in range(60):
        damaged = np.frombuffer(whole, np.uint8).copy()
        places = random.randint(0, min(len(whole), 200), 4)
        damaged[places] = random.randint(0, 256, 4)
        path.write_bytes(damaged.tobytes()[: random.randint(1, len(whole) + 1)])
        try:
            shape = RGB(path).shape
        except DataError as error:
            named.append(str(path) in str(error))
            continue
        assert shape == (24, 24, 3)
    assert all(named)
    assert len(named) > 10
