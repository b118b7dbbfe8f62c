"""The check of a distiller file: every value is a known one or a clear error."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from kdzero_gp.errors import KdzeroError, ParseError, PrimitiveError
from kdzero_gp.grammar.parse import parse
from kdzero_gp.grammar.registry import active_registry
from kdzero_gp.grammar.tree import Tree
from kdzero_gp.untrusted import finite_number

FORMAT = "kdzero_gp.distiller"


VERSION = 1


MAXIMUM_BYTES = 1_000_000


MAXIMUM_TEXT = 20_000
"""Longest distiller, in characters: far above what a search gives, far below what costs minutes to read."""


REQUIRED = ("format", "version", "distiller", "canonical", "calibration", "taps", "seed")


OPTIONAL = ("teacher", "student", "fitness", "parts", "versions", "extra")


CALL = re.compile(r"([A-Za-z_]\w*)\s*\(")


class DistillerFileError(KdzeroError):
    """A distiller file that cannot be read or written."""


@dataclass(frozen=True)
class Content:
    """What a distiller file says, checked."""

    tree: Tree
    calibration: list[float]
    taps: list[str]
    seed: int


def read_object(path: Path) -> dict[str, Any]:
    """Gives the JSON object in a file.

    Raises:
        DistillerFileError: there is no such file, it is too large, or it is not strict JSON.
    """
    try:
        if not path.is_file():
            raise DistillerFileError(f"{path} is not a file; give the path of a best.json")
        with path.open("rb") as stream:
            raw = stream.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DistillerFileError(f"{show(str(path))} cannot be read: {error}; give the path of a best.json") from error
    if len(raw) > MAXIMUM_BYTES:
        raise DistillerFileError(
            f"{path} has more than {MAXIMUM_BYTES:,} bytes, but a distiller file has a few thousand; "
            "give the path of a best.json"
        )
    try:
        content = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise DistillerFileError(f"{path} is nested too deeply to be a distiller file; give a best.json") from None
    except ValueError as error:
        raise DistillerFileError(
            f"{path} is not a JSON file: {show(str(error))}; give a best.json as it was written"
        ) from error
    if not isinstance(content, dict):
        raise DistillerFileError(f"{path} holds a JSON {_kind(content)}, but a distiller file holds an object")
    return content


def checked(content: dict[str, Any], path: Path) -> Content:
    """Gives the content of a distiller file, every value checked.

    Raises:
        DistillerFileError: names the file, the key, its value and the rule.
        PrimitiveError: the distiller uses a primitive that is not registered.
    """

    def fail(key: str, rule: str, way_out: str = "restore the file as it was written") -> NoReturn:
        raise DistillerFileError(f"{path}: `{key}` is {show(content.get(key))}, but must be {rule}; {way_out}")

    if content.get("format") != FORMAT:
        fail("format", f'"{FORMAT}"', "this is not a distiller file, give a best.json")
    if type(content.get("version")) is not int or content["version"] != VERSION:
        fail("version", str(VERSION), "read it with the version of kdzero_gp that wrote it")
    missing = [key for key in REQUIRED if key not in content]
    if missing:
        raise DistillerFileError(f"{path} lacks {', '.join(missing)}; restore the file as it was written")
    unknown = sorted(set(content) - {*REQUIRED, *OPTIONAL})
    if unknown:
        raise DistillerFileError(
            f"{path} has the unknown key {show(unknown[0])}; own values belong into `extra`, remove it"
        )
    for key in ("distiller", "canonical"):
        if not isinstance(content[key], str) or len(content[key]) > MAXIMUM_TEXT:
            fail(key, f"a distiller's text form of at most {MAXIMUM_TEXT:,} characters")
    for key in ("teacher", "student"):
        if not isinstance(content.get(key), str | None):
            fail(key, "a string or null")
    for key in ("parts", "versions", "extra"):
        if not isinstance(content.get(key, {}), dict):
            fail(key, "an object")
    if not (content.get("fitness") is None or finite_number(content["fitness"]) is not None):
        fail("fitness", "a finite number or null")
    if not all(finite_number(value) is not None for value in content.get("parts", {}).values()):
        fail("parts", "an object of finite numbers")
    if not all(isinstance(value, str) for value in content.get("versions", {}).values()):
        fail("versions", "an object of strings")
    if type(content["seed"]) is not int or not 0 <= content["seed"] < 2**63:
        fail("seed", "a whole number from 0 to 2**63 - 1")
    taps = content["taps"]
    if not isinstance(taps, list) or not all(isinstance(tap, str) for tap in taps):
        fail("taps", "a list of tap names")
    factors = content["calibration"]
    if not isinstance(factors, list):
        fail("calibration", "a list of numbers, one for every term")
    calibration = [finite_number(factor) or 0.0 for factor in factors]
    if not all(factor > 0 for factor in calibration):
        fail("calibration", "a list of positive finite numbers")
    tree = _tree(content["distiller"], path)
    if tree.key != content["canonical"]:
        fail("canonical", f"{show(tree.key)}, the canonical form of `distiller`")
    terms = sum(symbol.text == "weight" for symbol in tree.canonical())
    if len(calibration) != terms:
        fail("calibration", f"a list of {terms} numbers, one for every term of `{show(tree.key)}`")
    return Content(tree, calibration, list(taps), content["seed"])


def _tree(text: str, path: Path) -> Tree:
    try:
        tree = parse(text)
        tree.key  # noqa: B018  # a tree that has no canonical form is found here
    except RecursionError:
        raise DistillerFileError(f"{path}: `distiller` is nested too deeply; give a smaller one") from None
    except ParseError as error:
        call = CALL.match(text, error.position)
        if call is not None and call[1] not in active_registry():
            raise PrimitiveError(
                f"{path}: the distiller uses `{show(call[1])[1:-1]}`, which is no registered primitive; name the file "
                "that declares it with --primitives FILE (in Python: import it before loading)"
            ) from error
        raise DistillerFileError(f"{path}: `distiller` cannot be read: {printable(str(error))}") from error
    return tree


def show(value: object) -> str:
    """Gives a value for a message: ASCII, one line, at most 100 characters."""
    text = ascii(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def printable(text: str) -> str:
    """Gives a text of several lines that any terminal can show: what is neither printable nor a line end is escaped."""
    # isprintable() is False for control characters and for lone surrogates
    return "".join(c if c == "\n" or c.isprintable() else ascii(c)[1:-1] for c in text)


def _kind(value: object) -> str:
    names = {list: "list", str: "string", bool: "boolean", int: "number", float: "number", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in pairs:
        if name in result:
            raise ValueError(f"the key {show(name)} occurs twice")
        result[name] = value
    return result
