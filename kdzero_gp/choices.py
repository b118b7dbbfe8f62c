"""The alternatives of an option by name; a user's own file can add to them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Generic, TypeVar

from kdzero_gp.errors import ConfigError

T = TypeVar("T")
Registered = TypeVar("Registered")


class Choices(Mapping[str, T], Generic[T]):
    """Alternatives by name, in the order in which they were registered.

    Args:
        option: what a user chooses them by, such as `--selection`.
    """

    def __init__(self, option: str) -> None:
        self.option = option
        self._known: dict[str, tuple[T, str, str]] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._known:
            raise KeyError(name)
        return self._known[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, name: str, choice: T, about: str, source: str) -> None:
        """Registers an alternative. A source may register its own anew, as a notebook cell that is run again does.

        Args:
            about: a few words for the option's help.
            source: dotted name of what declares it.

        Raises:
            ConfigError: another source has the name.
        """
        if name in self._known and self._known[name][2] != source:
            raise ConfigError(
                f"{self.option} {name} of {source} is taken by {self._known[name][2]}; give yours another name"
            )
        self._known[name] = (choice, about, source)

    def declare(self, name: str, about: str, wrap: Callable[[Registered], T]) -> Callable[[Registered], Registered]:
        """Gives a decorator that registers what `wrap` makes of a class or function, and leaves that as it is."""

        def register(declared: Registered) -> Registered:
            module, label = (getattr(declared, each, "?") for each in ("__module__", "__qualname__"))
            self.add(name, wrap(declared), about, f"{module}.{label}")
            return declared

        return register

    def require(self, name: str) -> T:
        """Gives the alternative of this name.

        Raises:
            ConfigError: there is none; the message lists them.
        """
        if name not in self._known:
            known = " or ".join(f"'{each}'" for each in self._known)
            raise ConfigError(f"{self.option} is '{name}', but should be {known}")
        return self[name]

    def help(self, default: str) -> str:
        """Gives the option's help: every name with a few words on it."""
        texts = (f"{name}{' (default)' if name == default else ''}: {entry[1]}" for name, entry in self._known.items())
        return "; ".join(texts) + "."

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Forgets at the block's end what was registered inside it."""
        before = dict(self._known)
        try:
            yield
        finally:
            self._known = before
