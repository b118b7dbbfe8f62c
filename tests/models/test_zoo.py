"""Models by name: sizes, what they take, the user's own."""

from pathlib import Path

import pytest
import torch

from kdzero_gp import models
from kdzero_gp.errors import ModelError

PARAMETERS = {  # at 100 classes, as published
    "resnet8": 83_892,
    "resnet20": 278_324,
    "resnet32": 472_756,
    "resnet44": 667_188,
    "resnet56": 861_620,
    "resnet110": 1_736_564,
    "resnet8x4": 1_233_540,
    "resnet32x4": 7_433_860,
    "wrn_16_2": 703_284,
    "wrn_40_1": 569_780,
    "wrn_40_2": 2_255_156,
    "vgg8": 3_965_028,
    "vgg13": 9_462_180,
    "mobilenetv2": 812_836,
    "shufflenetv1": 949_258,
    "shufflenetv2": 1_355_528,
    "resnet50": 23_705_252,
    "deit_ti": 5_717_416 - 900 * 193,  # published for 1000 classes
}
IN_THE_ZOO = """resnet8 resnet14 resnet20 resnet32 resnet44 resnet56 resnet110 resnet8x4 resnet32x4
wrn_16_1 wrn_16_2 wrn_40_1 wrn_40_2 vgg8 vgg11 vgg13 vgg16 vgg19 mobilenetv2 shufflenetv1
shufflenetv2 resnet50 deit_ti t2t_vit_7"""
SMALLEST = {**dict.fromkeys(("vgg8", "vgg11", "vgg13", "vgg16", "vgg19"), 8), "deit_ti": 16, "t2t_vit_7": 16}
LARGE = ("vgg13", "vgg16", "vgg19", "resnet50", "resnet110", "resnet32x4", "vgg11", "resnet44", "wrn_40_2")


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameter_counts_are_the_published_ones(name: str) -> None:
    with torch.device("meta"):
        model = models.build(name, num_classes=100)
    assert models.parameter_count(model) == PARAMETERS[name]


@pytest.mark.parametrize("width", [1, 2, 7, 32])
def test_cnn_has_the_parameters_its_docstring_tells(width: int) -> None:
    model = models.build(f"cnn{width}", num_classes=10, in_channels=1)
    expected, inputs = 0, 1
    for outputs in (width, 2 * width, 4 * width):
        expected += 9 * inputs * outputs + 2 * outputs
        inputs = outputs
    assert models.parameter_count(model) == expected + 10 * inputs + 10


def test_the_zoo_is_complete() -> None:
    assert set(IN_THE_ZOO.split()) <= set(models.names())


def test_t2t_vit_has_the_parameters_its_layers_sum_up_to() -> None:
    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    width, token = 256, 64
    block = (
        2 * 2 * width + 3 * width * width + linear(width, width) + linear(width, 2 * width) + linear(2 * width, width)
    )

    def performer(inputs: int) -> int:
        return 2 * inputs + 2 * token + linear(inputs, 3 * token) + 3 * linear(token, token)

    tokens = performer(3 * 7 * 7) + performer(token * 3 * 3) + linear(token * 3 * 3, width)
    expected = tokens + width + 7 * block + 2 * width + linear(width, 100)
    assert models.parameter_count(models.build("t2t_vit_7", num_classes=100)) == expected


@pytest.mark.parametrize("name", [name for name in models.names() if name not in LARGE])
@pytest.mark.parametrize("size", [4, 8, 32])
def test_every_name_gives_scores(name: str, size: int) -> None:
    size = max(size, SMALLEST.get(name, 0))
    model = models.build(name, num_classes=5, in_channels=2, image_size=(size, 2 * size)).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 2, size, 2 * size)).shape == (1, 5)


def test_networks_of_one_size_tell_it() -> None:
    assert {name: size for name in models.names() if (size := models.input_size(name))} == {
        "deit_ti": (224, 224),
        "t2t_vit_7": (224, 224),
    }
    assert models.input_size("timm:anything") is None
    for size in ((200, 224), (224, 8), (0, 16)):
        with pytest.raises(ModelError, match=r"images of \d+x\d+, but both must be multiples of 16"):
            models.build("deit_ti", num_classes=5, image_size=size)


def test_same_random_state_gives_the_same_model() -> None:
    torch.manual_seed(3)
    first = models.build("cnn2", num_classes=10)
    torch.manual_seed(3)
    second = models.build("cnn2", num_classes=10)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet57", "'resnet57'. Did you mean 'resnet56'.*Known: .*resnet8x4.*cnnW"),
        ("cnn0", "unknown model 'cnn0'"),
        ("", "unknown model ''"),
        ("a b:c", "not of the form package.module:factory"),
        ("json:", "not of the form"),
        ("no_such_module_here:net", "cannot import 'no_such_module_here'"),
        ("json:nothing", "no 'nothing'.*Callable in it: .*dumps"),
        ("json:__name__", "is a str, but must be a function"),
        ("json:dumps", r"called with \(num_classes=10\) raised TypeError"),
        ("builtins:dict", "returned a dict"),
    ],
)
def test_bad_names(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        models.build(name, num_classes=10)


def test_bad_sizes() -> None:
    with pytest.raises(ModelError, match="num_classes is 0"):
        models.build("cnn2", num_classes=0)


def test_own_model_gets_channels_and_size_only_if_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_nets_for_test.py").write_text(
        "from torch import nn\n"
        "def plain(num_classes): return nn.Linear(7, num_classes)\n"
        "def asks(num_classes, in_channels=3): return nn.Linear(in_channels, num_classes)\n"
        "def sized(num_classes, image_size=(1, 1)): return nn.Linear(image_size[1], num_classes)\n"
        "def forwards(**options): return nn.Linear(len(options), options['num_classes'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for factory, inputs in (("plain", 7), ("asks", 2), ("sized", 9), ("forwards", 1)):
        model = models.build(f"own_nets_for_test:{factory}", num_classes=4, in_channels=2, image_size=(5, 9))
        assert isinstance(model, torch.nn.Linear)
        assert (model.in_features, model.out_features) == (inputs, 4)
    unsized = models.build("own_nets_for_test:sized", num_classes=4)
    assert isinstance(unsized, torch.nn.Linear)
    assert unsized.in_features == 1
