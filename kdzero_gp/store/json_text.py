"""Values as JSON text, without loss and always valid JSON.

JSON knows no NaN and no infinity. In free values they are written as `{"$float": "nan"}` (also "inf",
"-inf"), so that a string "nan" stays a string. Where every value is a float anyway (`Evaluation.parts` and
`.calibration`) `finite_or_text` writes the bare string, which `float()` reads back.
"""

import json
import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

_FLOAT = "$float"


def encode(value: JSON, *, sort_keys: bool = False) -> str:
    """Gives one line of ASCII that `decode` reads back; tuples come back as lists.

    Raises:
        TypeError: the value, or one inside it, has no JSON form; the message names its place.
    """
    return json.dumps(_tagged(plain(value)), allow_nan=False, sort_keys=sort_keys)


def decode(text: str) -> Any:
    """Decodes a value that `encode` wrote; floats are equal bit for bit."""
    return json.loads(text, object_hook=_untagged)


def finite_or_text(number: float) -> float | str:
    """Gives the number itself, or "nan", "inf", "-inf"."""
    return number if math.isfinite(number) else repr(number)


def plain(value: JSON, where: str = "value") -> Any:
    """Gives a copy built of None, bool, int, float, str, list and dict alone; NumPy scalars become numbers."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key == _FLOAT:
                raise TypeError(f"{where} has the key {key!r}, but a key must be a string and not {_FLOAT!r}")
        return {str(key): plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise TypeError(
        f"{where} is a {type(value).__name__}, but must be None, a bool, number, string, list or mapping; "
        "convert it first"
    )


def _tagged(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(value)}
    if isinstance(value, dict):
        return {key: _tagged(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tagged(item) for item in value]
    return value


def _untagged(item: dict[str, Any]) -> Any:
    return float(item[_FLOAT]) if item.keys() == {_FLOAT} else item
