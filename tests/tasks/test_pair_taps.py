"""The taps of a pair: how many stages a transformer gets, what is set by hand, what the table shows."""

from io import StringIO

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from kdzero_gp.data import Dataset, Split
from kdzero_gp.errors import TapError
from kdzero_gp.loops.fused.ways import stack_refusal
from kdzero_gp.models import build
from kdzero_gp.run.tables import tap_table
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.override import parse_taps
from kdzero_gp.tasks.input import InputSpec, NetworkInput
from kdzero_gp.tasks.pair_taps import PairTaps, Seat, pair_taps


def data(size: int) -> Dataset:
    split = Split(torch.zeros(4, 3, size, size, dtype=torch.uint8), torch.arange(4))
    return Dataset("black", 4, split, split, split, (0.5,) * 3, (0.2,) * 3, 255.0)


def pair(
    teacher: str, student: str, *taps: str, size: int = 32, teacher_size: int = 32, student_size: int = 32
) -> PairTaps:
    torch.manual_seed(0)
    seats = [
        Seat(build(name, num_classes=4, image_size=(side, side)), NetworkInput(InputSpec((side, side)), data(size)))
        for name, side in ((teacher, teacher_size), (student, student_size))
    ]
    return pair_taps(*seats, torch.randn(2, 3, size, size), parse_taps(taps))


def places(found: PairTaps) -> list[tuple[str, str]]:
    shared = found.shared
    return [(str(shared.teacher[name]), str(shared.student[name])) for name in shared.teacher.stages]


def test_a_transformer_has_as_many_stages_as_its_partner() -> None:
    assert places(pair("resnet8", "deit_ti", student_size=64)) == [
        ("layer1", "blocks.0 (tokens)"),
        ("layer2", "blocks.6 (tokens)"),
        ("layer3", "blocks.11 (tokens)"),
    ]
    four = places(pair("vgg8", "deit_ti"))
    assert [student for _, student in four] == [f"blocks.{number} (tokens)" for number in (0, 4, 7, 11)]
    four = places(pair("t2t_vit_7", "vgg8"))
    assert [teacher for teacher, _ in four] == [f"blocks.{number} (tokens)" for number in (0, 2, 4, 6)]
    three = places(pair("deit_ti", "t2t_vit_7"))
    assert three[1] == ("blocks.6 (tokens)", "blocks.3 (tokens)")


def test_other_numbers_of_stages() -> None:
    assert places(pair("resnet8", "shufflenetv1")) == [("layer1", "relu"), ("layer2", "layer1"), ("layer3", "layer2")]
    apart = places(pair("resnet8", "shufflenetv1", student_size=64))  # images of other sizes: deepest with deepest
    assert apart == [("layer1", "layer1"), ("layer2", "layer2"), ("layer3", "layer3")]
    ours = pair("torchvision:resnet18", "resnet8", size=64, teacher_size=64)
    assert places(ours) == [("layer2", "layer1"), ("layer3", "layer2"), ("layer4", "layer3")]
    assert ours.teacher.stages == ("stage1", "stage2", "stage3", "stage4", "stage5")


def test_taps_set_by_hand_in_either_network() -> None:
    found = pair("resnet14", "resnet8", "teacher:stage2=layer2.0", "student:pool=layer3.0.conv1")
    assert places(found)[1] == ("layer2.0", "layer2")
    assert found.shared.student["pool"].path == "layer3.0.conv1"
    found = pair("vgg8", "resnet8", "stage1=relu,teacher:stage2=block4,student:stage2=layer3")
    assert places(found) == [("relu (call 5)", "relu"), ("block4", "layer3")]  # those alone, by name
    with pytest.raises(TapError, match=r"^teacher: Tap 'stage1' is set to 'layer1'"):
        pair("vgg8", "resnet8", "stage1=layer1")


def test_the_table_shows_both_networks_and_their_own_names() -> None:
    found = pair("resnet8", "shufflenetv1", student_size=64)
    console = Console(width=200, file=StringIO())
    with console.capture() as printed:
        console.print(tap_table(found, "a pair"))
    lines = [line.split("│")[1:-1] for line in printed.get().splitlines() if line.startswith("│")]
    rows = [[cell.strip() for cell in line] for line in lines]
    why = "last output of 32 x 32 places"
    assert rows[0] == ["stage1", "layer1", "(16, 32, 32)", why, "layer1, its stage2", "(240, 32, 32)", why]
    assert rows[3][0] == "pool"
    assert rows[-1] == ["–", "", "", "", "relu, its stage1", "(24, 64, 64)", "last output of 64 x 64 places"]


class Still(nn.Module):
    """A transformer without random numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, 8)
        self.blocks = nn.Sequential(*(Mixing() for _ in range(4)))
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.blocks(torch.cat((x.mean(1, keepdim=True), x), 1))
        scores: Tensor = self.head(x[:, 0])
        return scores


class Mixing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.qkv = nn.LayerNorm(8), nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norm(x)).chunk(3, 2)
        return x + (q @ k.transpose(1, 2)).softmax(2) @ v


def test_tokens_of_students_in_one_program() -> None:
    """Folded in a vectorised pass as in a single one; the other way to stack students refuses, with a reason."""
    students = []
    for seed in range(3):
        torch.manual_seed(seed)
        students.append(Still())
    images = torch.randn(4, 3, 32, 32)
    taps = find_taps(students[0], images)
    assert taps["stage1"].layout == "tokens"
    assert stack_refusal("vmap", students, taps, images) == ""
    assert "LayerNorm with parameters" in stack_refusal("grouped", students, taps, images)


def test_students_that_draw_random_numbers_are_not_trained_in_one_program() -> None:
    students = []
    for seed in range(2):
        torch.manual_seed(seed)
        students.append(build("deit_ti", num_classes=4, image_size=(16, 16)))
    images = torch.randn(4, 3, 16, 16)
    reason = stack_refusal("vmap", students, find_taps(students[0], images), images)
    assert "draws random numbers in training" in reason


def test_a_resized_student_in_one_program() -> None:
    adapt = NetworkInput(InputSpec((12, 12), (0.1,) * 3, (0.3,) * 3), data(8))
    students = []
    for seed in range(3):
        torch.manual_seed(seed)
        students.append(build("cnn2", num_classes=4))
        adapt.attach(students[-1])
    images = torch.randn(4, 3, 8, 8)
    taps = find_taps(students[0], images)
    assert taps["stage1"].shape == (2, 12, 12)
    assert stack_refusal("vmap", students, taps, images) == ""
    assert stack_refusal("grouped", students, taps, images) == ""
