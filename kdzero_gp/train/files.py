"""The files of a final training's folder, each written whole: a reader, or a killed process, finds the old or the new.

`checkpoint.safetensors` alone decides how a training goes on; it holds the log of the epochs in its header, so the two
cannot disagree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kdzero_gp.errors import StoreError
from kdzero_gp.train.record import EpochLog
from kdzero_gp.whole_file import write_whole

CONFIG_NAME = "config.json"
CHECKPOINT_NAME = "checkpoint.safetensors"
STUDENT_NAME = "student.safetensors"
RESULT_NAME = "result.json"
LOG_NAME = "epochs.jsonl"
_FORMAT = "kdzero_gp training 1"


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file beside its place, on to the disk, and moves it there.

    Raises:
        StoreError: it cannot be written; what stood there stands there still.
    """
    write_whole(path, content, then=f"go on with --resume {path.parent}")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes plain data as `write_bytes` writes bytes."""
    write_bytes(path, (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Reads what `write_json` wrote.

    Raises:
        StoreError: the file is missing or is none of ours.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read ({error.strerror}); name the folder of a training that was begun by "
            "python -m kdzero_gp.train"
        ) from error
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}); restore it from a copy, or begin a new training") from error
    if not isinstance(content, dict):
        raise StoreError(f"{path} holds a {type(content).__name__}, but must hold an object; restore it from a copy")
    return content


def write_checkpoint(
    folder: Path, state: Mapping[str, Tensor], log: list[EpochLog], identity: Mapping[str, Any]
) -> None:
    """Writes where a training stands into one file, and the log beside it, for people.

    Args:
        state: of `Training`.
        identity: what the training is; one that goes on must agree with it.
    """
    rows = [asdict(row) for row in log]
    header = {"format": _FORMAT, "identity": json.dumps(identity), "log": json.dumps(rows)}
    write_bytes(folder / CHECKPOINT_NAME, save(dict(state), header))
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    write_bytes(folder / LOG_NAME, "".join(lines).encode())


def read_checkpoint(folder: Path) -> tuple[dict[str, Tensor], list[EpochLog], dict[str, Any]] | None:
    """Reads state, log and identity; None before the first epoch is over.

    Raises:
        StoreError: the file is damaged or none of ours.
    """
    path = folder / CHECKPOINT_NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        if header.get("format") != _FORMAT:
            raise StoreError(f"{path} is no checkpoint of kdzero_gp; name the folder of a training by --resume")
        log = [EpochLog(**row) for row in json.loads(header["log"])]
        return state, log, json.loads(header["identity"])
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} cannot be read as a checkpoint ({error}); restore it from a copy, or begin a new training"
        ) from error


def write_student(folder: Path, weights: Mapping[str, Tensor], header: Mapping[str, str]) -> Path:
    """Writes the student's weights with what they are in the header; `kdzero_gp.models.load_weights` reads them."""
    copies = {name: value.detach().cpu().clone().contiguous() for name, value in weights.items()}
    path = folder / STUDENT_NAME
    write_bytes(path, save(copies, dict(header)))
    return path
