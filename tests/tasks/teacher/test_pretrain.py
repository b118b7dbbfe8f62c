"""Recipes, teacher training and its cache."""

import json
import math
import multiprocessing
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from kdzero_gp.data import Dataset, load_dataset
from kdzero_gp.errors import ConfigError, ModelError
from kdzero_gp.models import build, load_weights
from kdzero_gp.randomness import seeded
from kdzero_gp.tasks.classification.measures import network_shares
from kdzero_gp.tasks.classification.teacher import train_teacher
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.recipe import STUDENT, TEACHER, Recipe
from kdzero_gp.tasks.teacher.pretrain import cached_teacher

SHORT = Recipe(epochs=2, batch_size=64, lr=0.1)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_dataset("digits")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def weights(model: torch.nn.Module) -> list[torch.Tensor]:
    return list(model.state_dict().values())


def equal(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_the_default_teacher_is_good_cached_and_described(digits: Dataset, tmp_path: Path) -> None:
    teacher = cached_teacher("cnn32", digits, cache_dir=tmp_path)
    assert network_shares(teacher, digits, digits.test)["accuracy"] >= 0.975
    assert not teacher.training
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    (path,) = tmp_path.glob("*.safetensors")
    with safe_open(path, framework="pt") as file:
        header = file.metadata()
    assert header["model"] == "cnn32"
    assert header["data_fingerprint"] == digits.fingerprint()
    assert header["torch"] == torch.__version__
    assert json.loads(header["recipe"]) == json.loads(json.dumps(asdict(TEACHER)))
    scores = torch.cat([teacher(digits.normalise(image[None])) for image in digits.val.images])
    right = sum(int(row.argmax()) == int(label) for row, label in zip(scores, digits.val.labels, strict=True))
    assert float(header["val_accuracy"]) == pytest.approx(right / 400)


def test_second_use_reads_the_cache(digits: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cached_teacher("cnn2", digits, cache_dir=tmp_path, recipe=SHORT)
    monkeypatch.setattr(kind_of(), "train_teacher", None)
    monkeypatch.setenv("KDZERO_GP_CACHE", str(tmp_path))
    assert equal(cached_teacher("cnn2", digits, recipe=SHORT), first)


def test_another_origin_is_another_file(digits: Dataset, tmp_path: Path) -> None:
    other = load_dataset("digits", limit=500)
    cached_teacher("cnn2", digits, cache_dir=tmp_path, recipe=SHORT)
    cached_teacher("cnn2", digits, cache_dir=tmp_path, recipe=SHORT, seed=1)
    cached_teacher("cnn2", other, cache_dir=tmp_path, recipe=SHORT)
    cached_teacher("cnn2", digits, cache_dir=tmp_path, recipe=Recipe(2, 64, 0.2))
    cached_teacher("cnn3", digits, cache_dir=tmp_path, recipe=SHORT)
    assert len(list(tmp_path.glob("*.safetensors"))) == 5
    assert not list(tmp_path.glob(".*safetensors*[0-9]")), "no partial files are left"


def test_a_damaged_cache_file_is_trained_anew(
    digits: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = cached_teacher("cnn2", digits, cache_dir=tmp_path, recipe=SHORT)
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    for damage in (b"", b"nonsense", whole[:-10], whole[:100]):
        path.write_bytes(damage)
        assert equal(cached_teacher("cnn2", digits, cache_dir=tmp_path, recipe=SHORT), first)
        assert len(path.read_bytes()) == len(whole)  # the header's entries come in any order
        load_weights(build("cnn2", num_classes=10, in_channels=1), path)
    assert caplog.text.count("trained anew") == 4


def test_given_weights_are_used_as_they_are(digits: Dataset, tmp_path: Path) -> None:
    torch.manual_seed(5)
    model = build("cnn2", num_classes=10, in_channels=1)
    torch.save(model.state_dict(), tmp_path / "own.pt")
    teacher = cached_teacher("cnn2", digits, cache_dir=tmp_path / "cache", weights=tmp_path / "own.pt")
    assert equal(teacher, model)
    assert not (tmp_path / "cache").exists()
    with pytest.raises(ModelError, match="do not fit"):
        cached_teacher("cnn3", digits, weights=tmp_path / "own.pt")


def test_a_cache_folder_that_cannot_be_written(digits: Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cache folder .*file.* cannot be written .*KDZERO_GP_CACHE"):
        cached_teacher("cnn2", digits, cache_dir=tmp_path / "file" / "cache", recipe=SHORT)


def _in_a_process(folder: str) -> float:
    torch.set_num_threads(1)
    digits = load_dataset("digits", limit=300)
    return float(cached_teacher("cnn2", digits, cache_dir=folder, recipe=SHORT).fc.weight.sum())  # type: ignore[union-attr, operator]


def test_processes_that_ask_at_once_get_one_teacher(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        sums = pool.map(_in_a_process, [str(tmp_path)] * 4, chunksize=1)
    assert len(set(sums)) == 1
    assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_training_is_a_function_of_its_seed_and_leaks_none(digits: Dataset) -> None:
    def trained(seed: int) -> torch.nn.Module:
        with seeded(0):
            model = torch.nn.Sequential(build("cnn2", num_classes=10, in_channels=1), torch.nn.Dropout(0.1))
        return train_teacher(model, digits, SHORT, seed=seed)

    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = trained(0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert equal(trained(0), first)
    assert not equal(trained(1), first)


def test_divergence_is_told(digits: Dataset) -> None:
    with pytest.raises(ModelError, match=r"diverged in epoch 1.*lower the learning rate, which is 1e\+30"):
        train_teacher(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)), digits, Recipe(1, 64, 1e30))


@pytest.mark.parametrize("recipe", [TEACHER, STUDENT, Recipe(1, 2, 0.5, warmup=0, schedule="linear")])
@pytest.mark.parametrize("steps", [1, 2, 3, 100])
def test_learning_rates_rise_to_the_peak_and_fall(recipe: Recipe, steps: int) -> None:
    rates = recipe.learning_rates(steps)
    assert len(rates) == steps
    assert all(0 < rate <= recipe.lr for rate in rates)
    peak = rates.index(max(rates))
    assert rates[peak] == recipe.lr
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_learning_rates_against_the_formula() -> None:
    rates = Recipe(1, 2, 2.0, warmup=0.25).learning_rates(8)
    expected = [2 / 3, 4 / 3] + [1 + math.cos(math.pi * k / 6) for k in range(6)]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0, but must be at least 1"),
        ({"batch_size": 1}, "batch_size is 1"),
        ({"lr": -1.0}, "lr is -1.0, but must be above 0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"momentum": 0.0}, "nesterov is True, but must be False"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"warmup": 1.0}, "warmup"),
        ({"schedule": "step"}, "cosine, linear or steps"),
        ({"ce_weight": -1.0}, "ce_weight"),
    ],
)
def test_recipes_are_checked(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Recipe(**({"epochs": 1, "batch_size": 2, "lr": 0.1} | change))  # type: ignore[arg-type]
