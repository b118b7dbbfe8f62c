"""The teacher's route: its weights on the way, written when they are first asked for."""

from pathlib import Path

import pytest
import torch

from kdzero_gp.data import load_dataset
from kdzero_gp.errors import ConfigError
from kdzero_gp.models import build
from kdzero_gp.randomness import seeded
from kdzero_gp.tasks.classification.teacher import train_teacher
from kdzero_gp.tasks.kinds import kind_of
from kdzero_gp.tasks.recipe import Recipe
from kdzero_gp.tasks.teacher.pretrain import cached_teacher
from kdzero_gp.tasks.teacher.route import cached_route

RECIPE = Recipe(epochs=4, batch_size=32, lr=0.1)


def test_its_weights_are_those_of_the_cached_teachers_own_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    data = load_dataset("digits", limit=128)
    teacher = cached_teacher("cnn4", data, cache_dir=tmp_path, recipe=RECIPE)
    seen: dict[int, dict[str, torch.Tensor]] = {}
    with seeded(0):
        twin = build("cnn4", num_classes=10, in_channels=1)

    def keep(done: int) -> None:
        seen[done] = {name: value.clone() for name, value in twin.state_dict().items()}

    train_teacher(twin, data, RECIPE, after_epoch=keep)
    assert all(torch.equal(value, seen[4][name]) for name, value in teacher.state_dict().items())
    route = cached_route("cnn4", data, cache_dir=tmp_path, recipe=RECIPE)
    for share, epoch in ((0.25, 1), (0.5, 2), (0.75, 3)):
        found = route(share)
        assert found.keys() == seen[epoch].keys()
        assert all(torch.equal(value, seen[epoch][name]) for name, value in found.items())

    def untouched(*arguments: object, **options: object) -> None:
        raise AssertionError("trained once more")

    monkeypatch.setattr(type(kind_of()), "train_teacher", untouched)
    again = cached_route("cnn4", data, cache_dir=tmp_path, recipe=RECIPE)
    assert all(torch.equal(value, seen[2][name]) for name, value in again(0.5).items())
    with pytest.raises(ConfigError, match="trained for 4 epochs"):
        again(0.1)
