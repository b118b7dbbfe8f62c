"""Writes shapes.npz: 1,500 pictures of 16 x 16 pixels, each of a circle, a square, a triangle, a cross or a ring.

Put your own images in its place: `x` (N, H, W, C) with pixels 0 … 255, `y` (N,) with labels 0 … K - 1.
"""

import sys

import numpy as np
from PIL import Image, ImageDraw

SIDE = 16
CLASSES = ("circle", "square", "triangle", "cross", "ring")


def picture(shape: str, random: np.random.Generator) -> np.ndarray:
    """One shape of random place, size and colour on a noisy ground, (16, 16, 3) uint8."""
    radius = random.uniform(3, 6)
    x, y = random.uniform(radius, SIDE - radius, size=2)
    colour = tuple(int(value) for value in random.integers(90, 256, size=3))
    image = Image.new("RGB", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    box = (x - radius, y - radius, x + radius, y + radius)
    if shape == "circle":
        draw.ellipse(box, fill=colour)
    elif shape == "square":
        draw.rectangle(box, fill=colour)
    elif shape == "triangle":
        draw.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=colour)
    elif shape == "cross":
        draw.rectangle((x - radius, y - radius / 3, x + radius, y + radius / 3), fill=colour)
        draw.rectangle((x - radius / 3, y - radius, x + radius / 3, y + radius), fill=colour)
    else:
        draw.ellipse(box, outline=colour, width=2)
    noisy = np.asarray(image) + random.normal(0, 60, size=(SIDE, SIDE, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def main(count: int) -> None:
    """Writes the file; labels take turns, so that all classes are of one size."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % len(CLASSES)
    images = np.stack([picture(CLASSES[label], random) for label in labels])
    np.savez("shapes.npz", x=images, y=labels)
    print(f"shapes.npz: {count} pictures of {len(CLASSES)} classes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1500)
