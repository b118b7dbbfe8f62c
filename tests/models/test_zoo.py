"""Models by name: sizes, the published weights, the user's own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kdzero_gp import models
from kdzero_gp.errors import ModelError

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"

PARAMETERS = {  # at 100 classes, as published
    "resnet8": 83_892,
    "resnet20": 278_324,
    "resnet32": 472_756,
    "resnet44": 667_188,
    "resnet56": 861_620,
    "resnet110": 1_736_564,
    "resnet8x4": 1_233_540,
    "resnet32x4": 7_433_860,
}


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


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("size", [4, 8, 32])
def test_every_name_gives_scores(name: str, size: int) -> None:
    model = models.build(name, num_classes=5, in_channels=2).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 2, size, size)).shape == (1, 5)


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
        ("cnn0", "Unknown model 'cnn0'"),
        ("", "Unknown model ''"),
        ("a b:c", "not of the form package.module:factory"),
        ("json:", "not of the form"),
        ("no_such_module_here:net", "Cannot import 'no_such_module_here'"),
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


def test_own_model_gets_in_channels_only_if_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_nets_for_test.py").write_text(
        "from torch import nn\n"
        "def plain(num_classes): return nn.Linear(7, num_classes)\n"
        "def asks(num_classes, in_channels=3): return nn.Linear(in_channels, num_classes)\n"
        "def forwards(**options): return nn.Linear(len(options), options['num_classes'])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for factory, inputs in (("plain", 7), ("asks", 2), ("forwards", 1)):
        model = models.build(f"own_nets_for_test:{factory}", num_classes=4, in_channels=2)
        assert isinstance(model, torch.nn.Linear)
        assert (model.in_features, model.out_features) == (inputs, 4)


def test_published_resnet56_loads_as_it_is_and_scores(tmp_path: Path) -> None:
    weights, packed = SHARED / "weights" / "cifar100_resnet56.pt", SHARED / "cifar100_test_0.med.xz"
    if not weights.exists() or not packed.exists():
        pytest.skip("needs the published weights and the CIFAR-100 test set")
    model = models.build("resnet56", num_classes=100).eval()
    models.load_weights(model, weights)
    images, labels = _unpacked(packed, 1000)
    mean = torch.tensor([0.5070, 0.4865, 0.4409]).view(1, 3, 1, 1)
    std = torch.tensor([0.2673, 0.2564, 0.2761]).view(1, 3, 1, 1)
    right = 0
    with torch.no_grad():
        for batch, truth in zip(images.split(250), labels.split(250), strict=True):
            right += int((model((batch / 255 - mean) / std).argmax(1) == truth).sum())
    # 72.63 % of all 10,000, which takes a minute; these first 1000 are a little easier.
    assert right / 1000 == pytest.approx(0.742, abs=0.003)


def _unpacked(path: Path, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    import importlib.util

    spec = importlib.util.spec_from_file_location("unpack_shared", SHARED / "unpack.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    x, y = module.read_shard(path)
    return torch.from_numpy(np.ascontiguousarray(x[:count].transpose(0, 3, 1, 2))), torch.from_numpy(y[:count])
