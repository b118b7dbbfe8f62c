"""The README promises nothing that does not run: its Python blocks, its options, its files."""

import os
import re
import subprocess
import sys
from pathlib import Path

from kdzero_gp import Distiller, save
from kdzero_gp.grammar.registry import default_registry

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

PRELUDE = """
import torch
from torch.nn.functional import cross_entropy
torch.manual_seed(0)
s1, s2, s3 = (torch.randn(4, c, r, r, requires_grad=True) for c, r in ((2, 8), (4, 4), (8, 2)))
t1, t2, t3 = (torch.randn(4, c, r, r) for c, r in ((6, 8), (12, 4), (24, 2)))
sp, tp, sz, tz = torch.randn(4, 8, requires_grad=True), torch.randn(4, 24), torch.randn(4, 5), torch.randn(4, 5)
sz.requires_grad_()
y = torch.tensor([0, 1, 2, 3])
"""


def block(word: str) -> str:
    found = [text for text in BLOCKS if word in text]
    assert len(found) == 1, f"{len(found)} blocks with {word}"
    return found[0]


def test_the_winner_in_ones_own_training_script(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "NAME"
    folder.mkdir(parents=True)
    text = "add(weight(1, kl(logits, 4)), weight(5, w_entropy(l1(norm_n(scale_r2(catt(stage2)))))))"
    save(Distiller(text), folder / "best.json")
    script = PRELUDE + block("kdzero_gp.load") + "\nloss.backward()\nprint(float(loss), s2.grad.abs().sum() > 0)\n"
    (tmp_path / "script.py").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    value, reached = done.stdout.split(maxsplit=1)
    assert float(value) > 0
    assert reached.strip() == "tensor(True)"


def test_the_primitive(tmp_path: Path) -> None:
    path = tmp_path / "my_ops.py"
    path.write_text(block("def energy"), encoding="utf-8")
    registry = default_registry().copy()
    registry.load_file(path)
    with registry.active():
        assert str(Distiller("weight(1, l2(energy(stage1)))").tree) == "weight(1, l2(energy(stage1)))"


def test_every_option_that_is_named_exists() -> None:
    named = set(re.findall(r"`(--[a-z][a-z-]+)", README)) | set(re.findall(r"kdzero_gp\.run (--[a-z-]+)", README))
    source = (ROOT / "kdzero_gp" / "run.py").read_text(encoding="utf-8")
    known = {"--" + name.replace("_", "-") for name in re.findall(r"^    (\w+): Annotated", source, re.MULTILINE)}
    assert named <= known, named - known


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"\]\(([\w/.]+\.(?:png|svg|md|json))\)", README)
    assert named
    assert all((ROOT / name).is_file() for name in named)
