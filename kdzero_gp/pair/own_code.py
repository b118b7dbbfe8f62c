"""The code of the user's own that a configuration names: what a folder may have run, and whether it is still the same.

A folder to go on with may come from anywhere, and going on runs the primitive files and the networks' modules that it
names. So they are run where the user names them too, or where this user has run the very same code from the same place
before: then a digest of both stands in a file of the cache folder. Equal text elsewhere is not the same code, since
what it imports from beside it may be another's.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from kdzero_gp.errors import ConfigError
from kdzero_gp.grammar.digest import code_of_file
from kdzero_gp.models.user import is_user_model
from kdzero_gp.pair.config import PairConfig
from kdzero_gp.tasks.teacher.folder import cache_folder
from kdzero_gp.untrusted import printable, sequence, user_path

CODE = "own_code"
"""Name of the digests among what a folder stores of its configuration."""
KNOWN = "own_code.txt"
"""File of the cache folder: a digest on each line."""
ROLES = ("teacher", "student")


def code_digests(config: PairConfig) -> dict[str, str]:
    """Gives 64 hex digits for every file of the user's own that decides what comes out, by what names it.

    Those are primitive files, the modules of networks, and the teacher's checkpoint; empty where there are none.
    """
    found = {f"--primitives {path}": _code_digest(Path(path)) for path in config.primitives}
    for role in ROLES:
        name = str(getattr(config, role))
        if is_user_model(name):
            found[f"--{role} {name}"] = _code_digest(_module_file(name))
    weights = config.teacher_weights
    if weights is not None and user_path(weights).is_file():
        found[f"--teacher-weights {weights}"] = _digest(user_path(weights))
    return found


def remember_code(config: PairConfig) -> None:
    """Notes that this user runs the code that a configuration names: he typed it, or has confirmed it."""
    files = [Path(path) for path in config.primitives]
    files += [file for role in ROLES if (file := _module_file(str(getattr(config, role)))) is not None]
    digests = {mark for file in files if (mark := _mark(file))}
    if not digests:
        return
    path = cache_folder() / KNOWN
    with FileLock(path.with_suffix(".lock")):
        missing = sorted(digests - _known())
        if missing:
            with path.open("a", encoding="ascii") as lines:
                lines.writelines(f"{digest}\n" for digest in missing)


def require_known_code(folder: Path, stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuses code that a folder names, unless the user names it as well or has run it before.

    Args:
        stored: all options, as the folder has them: nothing about them is trusted.
        given: options of the command that goes on.

    Raises:
        ConfigError: names the code, and what to add where it is trusted.
    """
    trusted = {str(user_path(path).resolve()) for path in given.get("primitives") or ()}
    for path in sequence(stored.get("primitives")):
        if str(path) not in trusted and _mark(Path(str(path))) not in _known():
            _refuse(folder, "primitives of somebody's own", "--primitives", str(path))
    for role in ROLES:
        name = str(stored.get(role))
        if is_user_model(name) and given.get(role) != name and _mark(_module_file(name)) not in _known():
            _refuse(folder, f"a {role} of somebody's own", f"--{role}", name)


def require_same_code(folder: Path, before: object, config: PairConfig, *, what: str) -> None:
    """Refuses to go on with files that have changed: results would not belong together.

    Args:
        before: digests that the folder stores; what an older version of the program began has none.
        what: `run` or `training`, for the message.

    Raises:
        ConfigError: names every changed file.
    """
    if not isinstance(before, Mapping):
        return
    now = code_digests(config)
    changed = [
        f"{printable(str(name), limit=200)} is {(now.get(name) or 'not there')[:16]}, it was {printable(str(old))[:16]}"
        for name, old in before.items()
        if now.get(name) != old
    ]
    if changed:
        raise ConfigError(
            f"{folder} holds a {what} that began with other files (SHA-256):\n  " + "\n  ".join(changed) + "\n"
            f"Restore them as they were, or begin a new {what} by --run-dir"
        )


def _refuse(folder: Path, whose: str, option: str, name: str) -> None:
    shown = printable(name, limit=200)
    raise ConfigError(
        f"{folder} has {whose}, {shown}, whose code would be run, and you have not run it here before; if you trust "
        f"it, add {option} {shown}"
    )


def _known() -> set[str]:
    path = cache_folder() / KNOWN
    return set(path.read_text(encoding="ascii", errors="replace").split()) if path.is_file() else set()


def _digest(path: Path | None) -> str:
    """Gives the SHA-256 of a file; empty where there is none, which is no digest of anything known."""
    try:
        if path is None or not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _code_digest(path: Path | None) -> str:
    """Gives the SHA-256 of a Python file with those that it imports from beside it; empty where there is none."""
    try:
        if path is None or not path.is_file():
            return ""
        return hashlib.sha256(json.dumps(code_of_file(path)).encode()).hexdigest()
    except OSError:
        return ""


def _mark(path: Path | None) -> str:
    """Gives a digest of a Python file's place and code; empty where there is none."""
    digest = _code_digest(path)
    return hashlib.sha256(f"{path and path.resolve()}\0{digest}".encode()).hexdigest() if digest else ""


def _module_file(spec: str) -> Path | None:
    """Gives the file of `package.module:factory`, looked for as an import would, but without running anything."""
    if not is_user_model(spec):
        return None
    parts = spec.partition(":")[0].split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    for entry in sys.path:
        place = Path(entry or ".").joinpath(*parts)
        for file in (place / "__init__.py", place.with_name(f"{parts[-1]}.py")):
            if file.is_file():
                return file.resolve()
    return None
