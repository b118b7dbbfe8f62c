"""Trees to draw: the same as those of the gallery's tests."""

from tests.gallery.conftest import example, read, stand_ins

__all__ = ["example", "read", "stand_ins"]
