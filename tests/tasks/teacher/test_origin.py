"""Teachers of the user's own: weights that came loaded are used as they are, caches are known by content."""

import logging
import math
import os
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from kdzero_gp.data import Dataset, load_dataset
from kdzero_gp.errors import ConfigError
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.teacher import pretrain
from kdzero_gp.tasks.teacher.folder import bound_cache, cache_limit, clear_cache
from kdzero_gp.tasks.teacher.origin import is_near_chance
from kdzero_gp.tasks.teacher.pretrain import cached_teacher

SHORT = Recipe(epochs=1, batch_size=64, lr=0.05)
NETS = """
import torch
from torch import nn
from torch.nn import functional


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, num_classes)

    def forward(self, x):
        return self.fc(functional.relu(self.conv(x)).mean((2, 3)))


def fresh(num_classes):
    return Net(num_classes)


def loaded(num_classes):
    model = Net(num_classes)
    model.load_state_dict(torch.load({path!r}, weights_only=True))
    return model


def partly(num_classes):
    model = Net(num_classes)
    model.conv.load_state_dict(loaded(num_classes).conv.state_dict())
    return model
"""


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits", limit=300)


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module `nets_of_origin` with three factories, and the weights that one of them loads."""
    path = tmp_path / "nets_of_origin.py"
    path.write_text(NETS.format(path=str(tmp_path / "teacher.pt")))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, "nets_of_origin", None)  # so that it is taken out again
    monkeypatch.delitem(sys.modules, "nets_of_origin")
    save_weights(tmp_path, 7)
    return tmp_path


def save_weights(folder: Path, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    model = nn.Module()
    model.conv, model.fc = nn.Conv2d(1, 4, 3), nn.Linear(4, 10)
    torch.save(model.state_dict(), folder / "teacher.pt")
    return model.state_dict()


def same(model: nn.Module, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_weights_that_came_loaded_are_used_as_they_are(
    nets: Path, digits: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    for seed in (1, 2):  # another file of the same name is another teacher
        state = save_weights(nets, seed)
        teacher = cached_teacher("nets_of_origin:loaded", digits, cache_dir=nets / "cache", recipe=SHORT)
        assert same(teacher, state)
    assert not (nets / "cache").exists()
    assert "the same under two random seeds" in caplog.text
    assert "% on" in caplog.text
    assert "near chance" in caplog.text


def test_fresh_weights_are_trained_and_the_user_may_say_otherwise(
    nets: Path, digits: Dataset, caplog: pytest.LogCaptureFixture
) -> None:
    state = save_weights(nets, 1)
    options = {"cache_dir": nets / "cache", "recipe": SHORT}
    trained = cached_teacher("nets_of_origin:loaded", digits, weights="train", **options)  # type: ignore[arg-type]
    assert not same(trained, state)
    assert not same(cached_teacher("nets_of_origin:partly", digits, **options), state)  # type: ignore[arg-type]
    assert "fc.weight" in caplog.text
    own = cached_teacher("nets_of_origin:fresh", digits, weights="own", **options)  # type: ignore[arg-type]
    other = cached_teacher("nets_of_origin:fresh", digits, weights="own", seed=1, **options)  # type: ignore[arg-type]
    assert not torch.equal(own.fc.weight, other.fc.weight)  # type: ignore[union-attr, arg-type]
    with pytest.raises(ConfigError, match="--teacher-weights is own, but cnn2 is built with fresh weights"):
        cached_teacher("cnn2", digits, weights="own", **options)  # type: ignore[arg-type]


def test_the_cache_knows_a_factory_by_its_source_and_its_weights(nets: Path, digits: Dataset) -> None:
    def files(name: str, weights: str | None = None) -> int:
        cached_teacher(f"nets_of_origin:{name}", digits, cache_dir=nets / "cache", recipe=SHORT, weights=weights)
        return len(list((nets / "cache").glob("*.safetensors")))

    assert files("fresh") == files("fresh") == 1
    save_weights(nets, 1)
    assert files("loaded", "train") == files("loaded", "train") == 2
    save_weights(nets, 2)
    assert files("loaded", "train") == 3
    source = nets / "nets_of_origin.py"
    source.write_text(source.read_text().replace("relu(self.conv(x))", "silu(self.conv(x))"))
    del sys.modules["nets_of_origin"]
    assert files("fresh") == 4


def test_near_chance_is_the_most_frequent_class_within_three_standard_errors() -> None:
    labels = torch.tensor([0] * 60 + [1] * 40)
    error = math.sqrt(0.6 * 0.4 / 100)
    assert is_near_chance(0.6, labels)
    assert is_near_chance(0.6 + 2.9 * error, labels)
    assert not is_near_chance(0.6 + 3.1 * error, labels)
    assert is_near_chance(0.1, torch.arange(100) % 10)
    assert not is_near_chance(0.5, torch.arange(100) % 10)


def cache_file(folder: Path, number: int, size: int) -> Path:
    path = folder / f"teacher-{number:016x}-train-plain-output0-fc.outputs"
    path.write_bytes(bytes(size))
    os.utime(path, (number, number))
    return path


def test_clearing_removes_what_is_ours_alone(tmp_path: Path) -> None:
    ours = [cache_file(tmp_path, 1, 10), tmp_path / f"cnn2-digits-{'a' * 16}.safetensors"]
    ours[1].write_bytes(bytes(5))
    theirs = [tmp_path / "model.safetensors", tmp_path / "notes.txt", tmp_path / "teacher.outputs"]
    for path in theirs:
        path.write_text("mine")
    assert clear_cache(tmp_path) == (2, 15)
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in theirs)
    assert clear_cache(tmp_path) == (0, 0)


def test_the_longest_unused_goes_first_where_the_cache_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [cache_file(tmp_path, number, 400) for number in (3, 1, 2)]
    monkeypatch.setenv("KDZERO_GP_CACHE_GB", str(1000 / 2**30))
    bound_cache(tmp_path, 500)
    assert [path.exists() for path in paths] == [True, False, False]
    assert caplog.text.count("is removed") == 2
    bound_cache(tmp_path, 700, spare=paths[0].name[:24])
    assert paths[0].exists()
    monkeypatch.setenv("KDZERO_GP_CACHE_GB", "much")
    with pytest.raises(ConfigError, match="KDZERO_GP_CACHE_GB is 'much', but must be a number of GiB above 0"):
        cache_limit()


def test_a_trained_teacher_keeps_the_limit_too(
    digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    old = cache_file(tmp_path, 1, 4000)
    monkeypatch.setenv("KDZERO_GP_CACHE_GB", str(4096 / 2**30))
    pretrain.cached_teacher("cnn2", digits, cache_dir=tmp_path, recipe=SHORT)
    assert not old.exists()
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
