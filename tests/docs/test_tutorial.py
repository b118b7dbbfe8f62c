"""Every command of the tutorial runs, in its order, in one folder, with smaller numbers."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "pages" / "tutorial.md"
FILES = ROOT / "docs" / "examples" / "tutorial"
COMMANDS = re.findall(r"```sh\n(.*?)\n```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
SMALLER = {
    "make_shapes.py": ["600"],
    "my_loop.py": ["1"],
    "kdzero_gp.run": "--pop 2 --gens 0 --epochs 1 --proxy-epochs 1 --leaders 1 --leader-seeds 0 --final-seeds 1 "
    "--workers 1",
    "kdzero_gp.train": "--epochs 1",
    "kdzero_gp.compare": "--seeds 1 --epochs 1 --workers 1",
    "kdzero_gp.browse": "",
}
LEFT = ("shapes.npz", "runs/shapes/gallery/index.html", "runs/shapes/best.py", "runs/final/result.json")


def smaller(command: str) -> list[str]:
    """The command with the options that make it small behind its own: of an option given twice, the last counts."""
    words = shlex.split(command)
    assert words[0] == "python"
    program = words[2] if words[1] == "-m" else words[1]
    added = SMALLER[program]
    return [sys.executable, *words[1:], *(added.split() if isinstance(added, str) else added)]


def test_all_commands_in_order(tmp_path: Path) -> None:
    assert len(COMMANDS) == 7
    for file in FILES.glob("*.py"):
        shutil.copy(file, tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "KDZERO_GP_CACHE": str(tmp_path / "cache")}
    printed = {}
    for command in COMMANDS:
        done = subprocess.run(
            smaller(command), cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed[command] = done.stdout
    assert all((tmp_path / name).is_file() for name in LEFT)
    listed, loop = (next(text for command, text in printed.items() if word in command) for word in ("taps", "my_loop"))
    assert all(tap in listed for tap in ("stage1", "stage2", "stage3", "pool", "logits"))
    assert re.search(r"epoch 1: loss [\d.]+, accuracy [\d.]+%", loop)
