"""Pairs of all kinds from the options on: a network of the user's own, libraries' networks, a transformer student."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import kdzero_gp
from kdzero_gp.models import build
from kdzero_gp.pair.assemble import make_task
from kdzero_gp.run.config import make_config
from kdzero_gp.store import RunStore

TINY: dict[str, Any] = {
    "pop": 2, "gens": 0, "limit": 64, "proxy_epochs": 1, "epochs": 1, "final_seeds": 1, "finalists": 1, "leaders": 1,
    "leader_seeds": 0, "batch_size": 32, "baselines": False, "workers": 1,
}  # fmt: skip

OWN = """\
from torch import nn

def net(num_classes, in_channels=3):
    return nn.Sequential(
        nn.Conv2d(in_channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Conv2d(6, 9, 3, 2, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(9, num_classes),
    )
"""

TRANSFORMER = """\
import torch
from torch import nn

class Small(nn.Module):
    def __init__(self, num_classes, in_channels):
        super().__init__()
        self.patches = nn.Conv2d(in_channels, 8, 8, 8)
        self.token = nn.Parameter(torch.zeros(1, 1, 8))
        layers = (nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True) for _ in range(4))
        self.blocks = nn.ModuleList(layers)
        self.head = nn.Linear(8, num_classes)

    def forward(self, images):
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.token.expand(len(tokens), -1, -1), tokens), 1)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens[:, 0])
"""


def test_a_network_out_of_a_ten_line_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(OWN.splitlines()) <= 10
    (tmp_path / "ten_lines_for_test.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    student = "ten_lines_for_test:net"
    result = kdzero_gp.search(teacher="cnn4", student=student, run_dir=tmp_path / "run", seed=1, **TINY)
    assert result.best is not None
    assert (tmp_path / "run" / "best.json").is_file()
    with RunStore.read(result.folder) as store:
        shapes = store.result("summary")["shapes"]["student"]
    # Two resolutions, so two of the teacher's three stages.
    assert shapes == {"stage1": [2, 6, 8, 8], "stage2": [2, 9, 4, 4], "pool": [2, 9], "logits": [2, 10]}


def test_a_transformer_student_of_another_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "transformer_for_test.py").write_text(TRANSFORMER)
    monkeypatch.syspath_prepend(tmp_path)
    options = TINY | {"student_input": 32, "taps": ("student:stage2=blocks.2",)}
    student = "transformer_for_test:Small"
    result = kdzero_gp.search(teacher="cnn4", student=student, run_dir=tmp_path / "run", seed=2, **options)
    with RunStore.read(result.folder) as store:
        shapes = store.result("summary")["shapes"]
    assert [shapes["student"][f"stage{number}"] for number in (1, 2, 3)] == [[2, 8, 4, 4]] * 3
    assert [shapes["teacher"][f"stage{number}"] for number in (1, 2, 3)] == [[2, 4, 8, 8], [2, 8, 4, 4], [2, 16, 2, 2]]


def test_an_imagenet_pair_on_small_photographs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "small.npz", x=rng.integers(0, 256, (30, 64, 64, 3), dtype=np.uint8), y=np.arange(30) % 3)
    torch.manual_seed(0)
    torch.save(build("torchvision:resnet34", num_classes=3).state_dict(), tmp_path / "teacher.pt")
    config = make_config(
        data=f"npz:{tmp_path / 'small.npz'}",
        teacher="torchvision:resnet34",
        student="torchvision:resnet18",
        teacher_weights=str(tmp_path / "teacher.pt"),
        teacher_norm="imagenet",
    )
    task = make_task(config)
    assert [str(tap) for tap in task.teacher_taps.values()][:5] == ["relu", "layer1", "layer2", "layer3", "layer4"]
    assert [tap.shape for tap in task.student_taps.values()][1:5] == [
        (64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2),
    ]  # fmt: skip
    numbers = torch.arange(4)
    images, _, knowledge = task.feed(("stage5", "logits"))(numbers, 0)
    raw = task.data.train.images[:4].float() / 255
    mean, std = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1), torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)
    with torch.no_grad():
        expected = task.teacher(((raw - mean) / std).contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(knowledge["logits"], expected, rtol=1e-3, atol=1e-4)
    with task.reader(task.student(0), ("stage5",)) as reader:
        assert reader(images)["stage5"].shape == (4, 512, 2, 2)


def test_what_the_networks_get_is_part_of_what_a_run_is() -> None:
    plain = make_config().identity
    for options in ({"teacher_input": 16}, {"student_input": 16}, {"teacher_norm": "imagenet"}, {"taps": ("pool=fc",)}):
        assert make_config(**options).identity != plain


def test_the_list_of_taps_trains_nothing(invoke: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a teacher was trained")

    monkeypatch.setattr("kdzero_gp.tasks.classification.kind.train_teacher", refuse)
    outcome = invoke(
        *("--list-taps", "--teacher", "resnet20", "--student", "deit_ti", "--taps", "teacher:stage2=layer2.1,pool=fc"),
        *("--taps", "student:stage1=blocks.2"),
    )
    assert outcome.code != 0
    assert "student: Tap 'pool' is set to 'fc'" in outcome.err
    outcome = invoke(
        *("--list-taps", "--teacher", "resnet20", "--student", "deit_ti", "--taps", "teacher:stage2=layer2.1"),
        *("--taps", "student:stage1=blocks.2"),
    )
    assert outcome.code == 0, outcome.err
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in outcome.out.splitlines() if "│" in line]
    assert rows[0] == [
        *("stage1", "layer1", "(16, 8, 8)", "last output of 8 x 8 places"),
        *("blocks.2 (tokens)", "(192, 14, 14)", "set by hand"),
    ]
    assert rows[1] == [
        *("stage2", "layer2.1", "(32, 4, 4)", "set by hand"),
        *("blocks.6 (tokens)", "(192, 14, 14)", "block 7 of 12 of one resolution"),
    ]
