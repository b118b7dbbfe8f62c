"""A store to browse: the same as that of the gallery's tests."""

from tests.gallery.conftest import record, store

__all__ = ["record", "store"]
