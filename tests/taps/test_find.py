"""Taps: found where they should be, read exactly, and the model left alone."""

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kdzero_gp.errors import TapError
from kdzero_gp.models import build, names
from kdzero_gp.taps.find import find_taps
from kdzero_gp.taps.match import match_taps
from kdzero_gp.taps.read import TapReader
from kdzero_gp.taps.tap import Tap, Taps


def images(size: int = 8, channels: int = 1, count: int = 4) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


def deep(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(name, num_classes=10, in_channels=1)


def three_stages(name: str) -> bool:
    return name.startswith(("cnn", "resnet")) and name not in ("resnet110", "resnet32x4", "resnet50")


@pytest.mark.parametrize("name", list(filter(three_stages, names())))
def test_three_stages_in_networks_for_small_images(name: str) -> None:
    taps = find_taps(deep(name), images(count=1))
    assert list(taps) == ["stage1", "stage2", "stage3", "pool", "logits"]
    assert [taps[stage].shape[1:] for stage in taps.stages] == [(8, 8), (4, 4), (2, 2)]
    paths = ["layer1", "layer2", "layer3"] if name.startswith("resnet") else ["stage1", "stage2", "stage3"]
    assert [taps[stage].path for stage in taps.stages] == paths
    assert taps["pool"].shape == taps["stage3"].shape[:1]
    assert taps["logits"].shape == (10,)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("wrn_16_2", {"block1": (32, 32, 32), "block2": (64, 16, 16), "relu": (128, 8, 8)}),
        ("vgg8", {"relu": (64, 32, 32), "relu (call 2)": (128, 16, 16), "relu (call 3)": (256, 8, 8),
                  "relu (call 5)": (512, 4, 4)}),
        ("mobilenetv2", {"blocks.1": (12, 16, 16), "blocks.2": (16, 8, 8), "blocks.4": (48, 4, 4),
                         "conv2": (1280, 2, 2)}),
        ("shufflenetv1", {"relu": (24, 32, 32), "layer1": (240, 16, 16), "layer2": (480, 8, 8), "layer3": (960, 4, 4)}),
        ("shufflenetv2", {"relu": (24, 32, 32), "layer1": (116, 16, 16), "layer2": (232, 8, 8),
                          "relu (call 2)": (1024, 4, 4)}),
        ("torchvision:resnet18", {"relu": (64, 16, 16), "layer1": (64, 8, 8), "layer2": (128, 4, 4),
                                  "layer3": (256, 2, 2)}),
        ("torchvision:resnet50", {"relu": (64, 16, 16), "layer1": (256, 8, 8), "layer2": (512, 4, 4),
                                  "layer3": (1024, 2, 2)}),
        ("torchvision:mobilenet_v2", {"features.1": (16, 16, 16), "features.3": (24, 8, 8), "features.6": (32, 4, 4),
                                      "features.13": (96, 2, 2)}),
    ],
)  # fmt: skip
def test_stages_end_where_the_resolution_ends(name: str, stages: dict[str, tuple[int, ...]]) -> None:
    """Not in the middle of the block that goes on to the next resolution."""
    taps = find_taps(build(name, num_classes=10), images(32, 3, 2))
    assert {str(taps[stage]): taps[stage].shape for stage in taps.stages} == stages


class TwoResolutions(nn.Module):
    """A stem, and a block that begins with a bottleneck at the stem's resolution, all in one container."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.block = nn.Sequential(nn.Conv2d(2, 8, 1), nn.Conv2d(8, 3, 3, 2, padding=1))
        self.head = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.block(self.stem(x)).mean((2, 3)))
        return scores


def test_what_begins_the_next_stage_is_not_the_end_of_the_one_before() -> None:
    taps = find_taps(TwoResolutions(), images())
    assert [str(taps[stage]) for stage in taps.stages] == ["stem", "block"]


def test_enlarged_maps_are_no_stage() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, 2, padding=1), nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Linear(98, 3))
    assert [tap.path for name, tap in find_taps(model, images()).items() if name.startswith("stage")] == ["0"]


def test_a_convolution_that_classifies_vectors_has_a_penultimate_vector() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(1, 6, 1), nn.Conv2d(6, 3, 1), nn.Flatten())
    taps = find_taps(model, images())
    assert str(taps["pool"]) == "input of 2"
    knowledge = TapReader(model, taps)(images())
    torch.testing.assert_close(knowledge["pool"], model[1](images().mean((2, 3), keepdim=True)).flatten(1))


def test_values_are_those_of_a_pass_by_hand() -> None:
    model = deep("cnn4").eval()
    x = images()
    one = F.relu(model.stage1[1](model.stage1[0](x)))  # type: ignore[index, operator]
    two = model.stage2(F.max_pool2d(one, 2))  # type: ignore[operator]
    three = model.stage3(F.max_pool2d(two, 2))  # type: ignore[operator]
    pool = three.mean((2, 3))
    knowledge = TapReader(model, find_taps(model, x))(x)
    expected = {"stage1": one, "stage2": two, "stage3": three, "pool": pool, "logits": model.fc(pool)}  # type: ignore[operator]
    for name, value in expected.items():
        torch.testing.assert_close(knowledge[name], value)


def test_finding_leaves_no_trace() -> None:
    model = deep("resnet8").train()
    model.layer2.eval()  # type: ignore[union-attr, operator]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    random_state = torch.get_rng_state()
    find_taps(model, images())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert hooks(model) == 0
    assert torch.equal(torch.get_rng_state(), random_state)
    with pytest.raises(TapError, match=r"failed on an example of shape \(4, 3, 8, 8\) with RuntimeError"):
        find_taps(model, images(channels=3))
    assert [module.training for module in model.modules()] == modes
    assert hooks(model) == 0


def test_gradients_flow_through_every_tap() -> None:
    model = deep("cnn2").train()
    reader = TapReader(model, find_taps(model, images()))
    for name in reader.taps:
        model.zero_grad()
        reader(images())[name].square().sum().backward()
        gradient = model.stage1[0].weight.grad  # type: ignore[index, union-attr]
        assert isinstance(gradient, Tensor)
        assert gradient.abs().sum() > 0


def test_only_what_is_asked_for_is_hooked_and_nothing_is_kept() -> None:
    model = deep("cnn2")
    with TapReader(model, find_taps(model, images())) as reader:
        assert hooks(model) == 0
        assert list(reader(images(), ("logits",))) == ["logits"]
        assert hooks(model) == 0
        knowledge = reader(images(), ["stage2", "pool"])
        assert list(knowledge) == ["stage2", "pool"]
        assert hooks(model) == 0
        held = weakref.ref(knowledge["stage2"])
        del knowledge
        gc.collect()
        assert held() is None
        assert reader(images(count=7))["stage1"].shape[0] == 7
    assert hooks(model) == 0
    assert list(TapReader(model, reader.taps, ["stage1"])(images())) == ["stage1"]


def test_a_pass_that_fails_half_way_keeps_nothing() -> None:
    model = deep("cnn2")
    reader = TapReader(model, find_taps(model, images()))
    reader(images())
    fc, model.fc = model.fc, nn.Linear(3, 10)
    with pytest.raises(RuntimeError, match="shapes"):
        reader(images())
    assert hooks(model) == 0
    model.fc = fc


class Shared(nn.Module):
    """One ReLU, in place, for every layer; the classifier's scores rescaled; an unused and a listing module."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 5, 3, 2, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.unused = nn.Linear(2, 2)
        self.lists = Listing()
        self.hidden, self.fc = nn.Linear(5 * 16, 6), nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv1(x))
        x = self.relu(self.conv2(x))
        self.lists(x)
        return 2 * self.fc(self.relu(self.hidden(x.flatten(1))))


class Listing(nn.Module):
    def forward(self, x: Tensor) -> list[Tensor]:
        return [x]


def test_a_module_that_serves_several_places() -> None:
    model, x = Shared(), images()
    taps = find_taps(model, x)
    assert [str(tap) for tap in taps.values()] == [
        "relu",
        "relu (call 2)",
        "input of fc",
        "the model",
    ]
    knowledge = TapReader(model, taps)(x)
    one = F.relu(model.conv1(x))
    two = F.relu(model.conv2(one))
    pool = F.relu(model.hidden(two.flatten(1)))
    torch.testing.assert_close(knowledge["stage1"], one)
    torch.testing.assert_close(knowledge["stage2"], two)
    torch.testing.assert_close(knowledge["pool"], pool)
    torch.testing.assert_close(knowledge["logits"], 2 * model.fc(pool))


def test_a_tap_that_is_overwritten_in_place_is_copied_first() -> None:
    model, x = Shared(), images()
    taps = find_taps(model, x, {"stage1": "conv1", "stage2": "conv2"})
    assert taps["stage1"].clone
    knowledge = TapReader(model, taps)(x)
    torch.testing.assert_close(knowledge["stage1"], model.conv1(x))
    assert (knowledge["stage1"] < 0).any()
    knowledge["stage1"].sum().backward()
    assert model.conv1.weight.grad is not None
    with torch.inference_mode():
        torch.testing.assert_close(TapReader(model, taps)(x)["stage1"], model.conv1(x))


def test_overwriting_that_shows_in_training_only_is_an_error() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(0.5, inplace=True), nn.Flatten(), nn.Linear(72, 3))
    taps = find_taps(model, images(), {"stage1": "0"})
    reader = TapReader(model.eval(), taps)
    assert reader(images())["stage1"].shape == (4, 2, 6, 6)
    model.train()
    with torch.no_grad(), pytest.raises(TapError, match=r"'stage1' \(0\) was overwritten in place"):
        reader(images())


def test_override() -> None:
    model = deep("resnet20")
    plain = find_taps(model, images())
    taps = find_taps(model, images(), {"stage2": "layer2.1", "pool": "layer3.0"})
    assert taps["stage2"] == Tap("layer2.1", (32, 4, 4), "map")
    assert taps["pool"].shape == (64 * 2 * 2,)
    assert taps["stage1"] == plain["stage1"]
    assert list(taps) == list(plain)
    four = find_taps(model, images(), {"stage4": "layer3.0"})
    assert four.stages == ("stage1", "stage2", "stage3", "stage4")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"stage2": "conv3"}, "set to 'conv3', but Shared has no such module; close to it are conv"),
        ({"stage2": ""}, "no such module"),
        ({"stage2": "unused"}, "does not run"),
        ({"stage2": "lists"}, "output is a list"),
        ({"stage2": "fc"}, r"output is \(4, 4\), but must be \(N, C, H, W\), or tokens"),
        ({"stage9": "conv1"}, "no stage3 among .*stage9.*without gaps"),
        ({"neck": "conv1"}, "Unknown tap 'neck'"),
        ({"stage0": "conv1"}, "Unknown tap 'stage0'"),
    ],
)
def test_bad_overrides(override: dict[str, str], message: str) -> None:
    with pytest.raises(TapError, match=message):
        find_taps(Shared(), images(), override)


class Returning(nn.Module):
    def __init__(self, what: Any) -> None:
        super().__init__()
        self.head, self.what = nn.Linear(64, 3), what

    def forward(self, x: Tensor) -> Any:
        return self.what(self.head(x.flatten(1)))


def test_models_that_return_no_scores() -> None:
    with pytest.raises(TapError, match="returns a tuple"):
        find_taps(Returning(lambda scores: (scores, 1)), images())
    with pytest.raises(TapError, match=r"tensor of shape \(4, 3, 1\)"):
        find_taps(Returning(lambda scores: scores[..., None]), images())
    model = Returning(lambda scores: (scores, 1))
    taps = find_taps(model, images(), {"logits": "head"})
    knowledge = TapReader(model, taps)(images())
    torch.testing.assert_close(knowledge["logits"], model.head(images().flatten(1)))
    convolutional = nn.Sequential(nn.Conv2d(1, 3, 8), nn.Flatten())  # of maps, not of vectors
    assert list(find_taps(convolutional, images())) == ["logits"]
    with pytest.raises(TapError, match="no linear layer gives the logits"):
        TapReader(convolutional, find_taps(convolutional, images()))(images(), ["pool"])
    assert find_taps(convolutional, images(), {"pool": "0"})["pool"].shape == (3,)


def test_reading_errors() -> None:
    model = Shared()
    taps = find_taps(model, images())
    with pytest.raises(TapError, match=r"No tap 'stage7'.*stage1, stage2, pool, logits"):
        TapReader(model, taps)(images(), ["stage7"])
    with pytest.raises(TapError, match="this model has no such module"):
        TapReader(deep("cnn2"), taps)(images())
    unreached = Taps((("stage1", Tap("relu", (3, 8, 8), "map", call=5)),))
    with pytest.raises(TapError, match="was not reached"):
        TapReader(model, unreached)(images())


def of(*stages: tuple[int, ...], classes: int = 10, pool: bool = True) -> Taps:
    places = [(f"stage{number}", Tap(f"s{number}", shape, "map")) for number, shape in enumerate(stages, 1)]
    places += [("pool", Tap("fc", (8,), "vector"))] if pool else []
    return Taps((*places, ("logits", Tap("", (classes,), "scores"))))


def test_matching() -> None:
    teacher, student = of((8, 16, 16), (16, 8, 8), (32, 4, 4)), of((2, 32, 32), (4, 16, 16), (8, 8, 8))
    pair = match_taps(teacher, student)  # equally many: by order
    assert pair == (teacher, student)

    student = of((2, 8, 8), (4, 4, 4))  # fewer: by resolution, numbered anew
    pair = match_taps(teacher, student)
    assert list(pair.teacher) == list(pair.student) == ["stage1", "stage2", "pool", "logits"]
    assert [pair.teacher[name].path for name in pair.teacher.stages] == ["s2", "s3"]
    assert [pair.student[name].path for name in pair.student.stages] == ["s1", "s2"]

    pair = match_taps(teacher, student, same_size=False)  # images of different sizes: the deepest
    assert [pair.teacher[name].path for name in pair.teacher.stages] == ["s2", "s3"]
    pair = match_taps(teacher, of((4, 16, 16), (4, 8, 8)), same_size=False)
    assert [pair.teacher[name].path for name in pair.teacher.stages] == ["s2", "s3"]
    assert [pair.student[name].path for name in pair.student.stages] == ["s1", "s2"]
    pair = match_taps(teacher, of((4, 16, 16), (4, 8, 8)), paired=("stage1",))  # set by hand in both: those alone
    assert [(pair.teacher[name].path, pair.student[name].path) for name in pair.teacher.stages] == [("s1", "s1")]

    pair = match_taps(teacher, of((4, 7, 7)))  # no resolution in common: the deepest
    assert [pair.teacher[name].path for name in pair.teacher.stages] == ["s3"]
    assert list(match_taps(teacher, of())[0]) == ["pool", "logits"]
    assert "pool" not in match_taps(teacher, of((4, 8, 8), pool=False)).teacher
    with pytest.raises(TapError, match="teacher scores 10 classes and the student 7"):
        match_taps(teacher, of((4, 8, 8), classes=7))
