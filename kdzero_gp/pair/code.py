"""The code of a user's own that a folder names: what it is, and whether this user has let it run before.

Loading a folder runs nothing. So what a folder names is run only where the user names it, too, or where he began with
it himself: a note of that stands in his cache folder, under a digest of place and content, so that neither another file
nor another content of the same file passes for it.
"""

from __future__ import annotations

import hashlib
import importlib.machinery
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.digest import gathered_code
from kdzero_gp.models.user import is_user_model
from kdzero_gp.pair.config import PairConfig
from kdzero_gp.tasks.teacher.folder import cache_folder
from kdzero_gp.untrusted import printable, user_path

CODE = "code"
"""Key of the digests in a run's identity."""
APPROVED = "approved"


def code_digests(options: Mapping[str, Any]) -> dict[str, str]:
    """Gives digests of the user's primitive files, modules of networks and weights files, by what they are.

    Python files are taken together with those that they import from beside them. Nothing is run.

    Args:
        options: of a pair, perhaps somebody else's; what is missing has no digest.
    """
    found = {f"{option} {name}": content for option, name, source in _named(options) if (content := _digest(source))}
    weights = Path(str(options.get("teacher_weights") or ""))
    if weights.is_file():
        with weights.open("rb") as file:
            found[f"teacher_weights {weights}"] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def require_same_code(folder: Path, before: object, options: Mapping[str, Any]) -> None:
    """Refuses to go on where the user's code or weights are not those that the folder began with.

    Args:
        before: the digests of `code_digests` then; None where a folder of an older version has none.
        options: as the folder has them.

    Raises:
        ConfigError: names what has changed.
    """
    if before is None:
        return
    if not isinstance(before, dict):
        raise ConfigError(f"{folder} is damaged: its digests of code are no mapping; begin a new run by --run-dir")
    now = code_digests(options)
    changed = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    if changed:
        lines = (
            f"\n  {printable(name, limit=200)}: sha256 was {_shown(before.get(name))}, is {_shown(now.get(name))}"
            for name in changed
        )
        raise ConfigError(
            f"what {folder} was started with has changed since, and results of both would stand side by side:"
            f"{''.join(lines)}\nPut the old content back, or begin a new run by --run-dir"
        )


def approve_code(config: PairConfig) -> None:
    """Notes that this user has run the code that a configuration names.

    Raises:
        ConfigError: the cache folder cannot be written.
    """
    for named in _named({name: getattr(config, name) for name in ("primitives", "teacher", "student")}):
        place = cache_folder() / APPROVED
        place.mkdir(exist_ok=True)
        (place / _mark(*named)).touch()


def require_approved_code(folder: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuses code that a folder names, unless the user names the same or has run it before.

    Args:
        stored: options, as the folder has them.
        given: those that the user gives now.

    Raises:
        ConfigError: names the code, and how to name it.
    """
    mine = {str(user_path(file).resolve()) for file in _files(given)}
    for option, name, source in _named(stored):
        if name in mine or given.get(option) == name:
            continue
        if not (cache_folder() / APPROVED / _mark(option, name, source)).exists():
            shown = printable(name, limit=200)
            raise ConfigError(
                f"{folder} names code that would be run, {shown}, and you have not run it before as it is now. If you "
                f"trust it, add --{option} {shown}"
            )


def _files(options: Mapping[str, Any]) -> list[str]:
    files = options.get("primitives") or ()
    return [str(file) for file in (files if isinstance(files, list | tuple) else [files])]


def _named(options: Mapping[str, Any]) -> list[tuple[str, str, Path | None]]:
    """Lists option, name and file of all code that options name; no file where none is found."""
    found = [("primitives", file, Path(file).absolute()) for file in _files(options)]
    networks = ((role, str(options.get(role) or "")) for role in ("teacher", "student"))
    return [*found, *((role, name, _source(name)) for role, name in networks if is_user_model(name))]


def _source(spec: str) -> Path | None:
    """Finds the file of `package.module:factory`, without importing anything."""
    places: list[str] | None = [place or "." for place in sys.path]
    origin = None
    name = ""
    for part in spec.partition(":")[0].split("."):
        name = f"{name}.{part}".lstrip(".")
        spec_of_part = importlib.machinery.PathFinder.find_spec(name, places)
        if spec_of_part is None:
            return None
        origin = spec_of_part.origin
        places = list(spec_of_part.submodule_search_locations or ())
    return None if origin is None else Path(origin).absolute()


def _digest(path: Path | None) -> str:
    """Gives a digest of a Python file and those beside it; empty where there is no such file."""
    if path is None or not path.is_file():
        return ""
    content = hashlib.sha256()
    for name, text in gathered_code(path, path.read_text(encoding="utf-8", errors="replace")):
        content.update(f"{name}\0{text}\0".encode("utf-8", "replace"))
    return content.hexdigest()


def _mark(option: str, name: str, source: Path | None) -> str:
    kind = "primitives" if option == "primitives" else "network"
    parts = (kind, name, str(source), _digest(source))
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


def _shown(digest: object) -> str:
    return printable(str(digest), limit=12) if digest is not None else "absent"
