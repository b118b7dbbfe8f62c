"""Alternatives that the files of a folder declare: a new one is a new file, and nothing else knows of it."""

import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TypeVar

from kdzero_gp.choices import Choices

T = TypeVar("T")


class FolderChoices(Choices[T]):
    """Alternatives by name, declared in the files of a folder; the first look-up imports them.

    Args:
        option: what a user chooses them by.
        folder: dotted name of the package whose modules declare them; they are imported in alphabetical order.
    """

    def __init__(self, option: str, folder: str) -> None:
        super().__init__(option)
        self._folder = folder
        self._walked = False

    def __getitem__(self, name: str) -> T:
        self._walk()
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        self._walk()
        return super().__iter__()

    def __len__(self) -> int:
        self._walk()
        return super().__len__()

    def require(self, name: str) -> T:
        """Gives the alternative of this name.

        Raises:
            ConfigError: there is none; the message lists them.
        """
        self._walk()
        return super().require(name)

    def listed(self) -> str:
        """Gives the names as a sentence has them: `one, another or a third`."""
        *others, last = self
        return f"{', '.join(others)} or {last}" if others else last

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Forgets at the block's end what was registered inside it."""
        self._walk()
        with super().restored():
            yield

    def _walk(self) -> None:
        if self._walked:
            return
        self._walked = True  # first: a module may look for what its neighbour declares
        found = (module.name for module in pkgutil.iter_modules(import_module(self._folder).__path__))
        for name in [name for name in found if name != "__main__"]:
            import_module(f"{self._folder}.{name}")
