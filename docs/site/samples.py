"""A picture of the embedded glyphs, drawn while the site is built."""

from io import BytesIO

from PIL import Image

from kdzero_gp.data.sources.glyphs import draw, read_settings

ROWS, COLUMNS, ENLARGED = 5, 20, 3


def pages() -> dict[str, str | bytes]:
    """The picture by its path in the site: the first images of the training split."""
    images, _ = draw(read_settings(f"train={ROWS * COLUMNS},val=50,test=50,teacher=0"))
    side = images.shape[-1]
    grid = images[: ROWS * COLUMNS, 0].reshape(ROWS, COLUMNS, side, side).transpose(0, 2, 1, 3)
    picture = Image.fromarray(grid.reshape(ROWS * side, COLUMNS * side))
    file = BytesIO()
    picture.resize((ENLARGED * picture.width, ENLARGED * picture.height), Image.Resampling.NEAREST).save(file, "png")
    return {"guide/glyphs.png": file.getvalue()}
