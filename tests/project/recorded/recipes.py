"""The commands that are recorded, and what of their results is compared: all but times, machines and versions."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

HERE = Path(__file__).resolve().parent
RECORD = "recorded.json"
PAIR = ("--teacher", "cnn4", "--limit", "256", "--batch-size", "32")
"""Trains its own teacher, which is part of what is recorded."""
KNOWN_PAIR = (*PAIR, "--teacher-weights", "teacher.safetensors")
"""The same with the teacher that was recorded, so that what it says does not depend on the machine."""
SMALL = (*PAIR, "--seed", "3", "--finalists", "2", "--leaders", "2", "--leader-seeds", "1")
SHORT = (*SMALL, "--epochs", "1", "--final-seeds", "1")
NSGA2 = (*SHORT, "--selection", "nsga2", "--no-baselines")
RUNS: dict[str, tuple[str, ...]] = {
    "evolve": (
        *(*SMALL, "--epochs", "2", "--final-seeds", "2", "--pop", "5", "--gens", "2", "--proxy-epochs", "1"),
        *("--seed-methods", "kd,at,dist"),
    ),
    "random": (
        *(*SHORT, "--algorithm", "random", "--pop", "5", "--gens", "1", "--proxy-epochs", "2"),
        *("--fitness", "relative"),
    ),
    "steady": (
        *(*NSGA2, "--mode", "steady", "--pop", "4", "--gens", "2", "--proxy-epochs", "3", "--rungs", "3"),
        *("--eta", "2"),
    ),
    "rungs": (
        *(*NSGA2, "--fuse", "1", "--pop", "4", "--gens", "2", "--proxy-epochs", "2", "--rungs", "2"),
        *("--space", "extended", "--calibrate", "none", "--augment", "crop-flip", "--views", "2", "--fitness", "eq2"),
    ),
}
"""Options of `kdzero_gp.run`, all of one process: what a steady search does depends on its number of workers."""
ALONE = ("--workers", "1")
UNFINISHED = {"evolve": 11, "steady": 6}
"""Runs that were killed when so many evaluations were stored."""
FINISHED = "evolve"
TRAINING = (
    *(*KNOWN_PAIR, "--seed", "1", "--epochs", "40", "--train-on", "train", "--calibrate", "gradient"),
    *("--distiller", "add(weight(1, kl(logits, 4)), weight(10, l2(norm_n(scale_r2(catt(stage2))))))"),
)
"""Options of `kdzero_gp.train`."""
TRAINED_EPOCHS = 10
"""After how many epochs the unfinished training was killed."""
COMPARISON = (*KNOWN_PAIR, "--epochs", "2", "--seeds", "1", *ALONE)
"""Options of `kdzero_gp.compare`."""
COMPARED, ADDED = "none,kd", "none,kd,dist,found=best.json"


def digest(content: str | bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def of_run(folder: Path, printed: str) -> dict[str, str]:
    """What a run found: its history and winner as they lie there, the final table as `--json` printed it.

    Of `best.json` the versions, and of the table the folder, are not compared.
    """
    best = (folder / "best.json").read_bytes().decode()
    best, versions = re.subn(r'("versions": \{)[^}]*\}', r"\1}", best)
    assert versions == 1, "best.json tells no versions"
    table = {name: value for name, value in json.loads(printed).items() if name != "folder"}
    return {
        "history.jsonl": digest((folder / "history.jsonl").read_bytes()),
        "best.json": digest(best),
        "table": digest(json.dumps(table, sort_keys=True)),
    }


def of_training(folder: Path) -> dict[str, str]:
    """What a final training gave: the student's weights, every epoch, the result; without times and machines."""
    weights = hashlib.sha256()
    with safe_open(folder / "student.safetensors", "numpy") as file:
        for name in sorted(file.keys()):
            weights.update(name.encode() + file.get_tensor(name).tobytes())
        header = _without(file.metadata(), "versions")
    epochs = [_without(json.loads(line), "seconds") for line in _lines(folder / "epochs.jsonl")]
    result = _without(json.loads((folder / "result.json").read_text()), "seconds", "hardware", "versions")
    found = {"header": header, "epochs": epochs, "result": result}
    return {"weights": weights.hexdigest()} | {
        name: digest(json.dumps(value, sort_keys=True)) for name, value in found.items()
    }


def of_comparison(folder: Path) -> dict[str, str]:
    """What a comparison's trainings gave, by file; without times."""
    files = sorted((folder / "trainings").glob("*.json"))
    return {
        file.name: digest(json.dumps(_without(json.loads(file.read_text()), "seconds"), sort_keys=True))
        for file in files
    }


def history(path: Path) -> list[dict[str, Any]]:
    """The evaluations of a run."""
    return [json.loads(line) for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _without(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}
