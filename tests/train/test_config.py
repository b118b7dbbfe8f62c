"""What a final training is unless the user says otherwise, and how options are kept for a later process."""

import json
from pathlib import Path

import pytest

from kdzero_gp.errors import ConfigError
from kdzero_gp.pair.config import PairConfig
from kdzero_gp.tasks.presets import IMAGENET, LOCALITY, REPDISTILLER
from kdzero_gp.tasks.recipe import STUDENT
from kdzero_gp.train.config import FitConfig, make_fit_config


def test_a_training_has_the_options_of_a_pair_and_none_of_a_search() -> None:
    options = set(FitConfig.model_fields)
    assert set(PairConfig.model_fields) < options
    assert not options & {"pop", "workers", "proxy_epochs", "final_seeds", "timeout"}


def test_the_published_recipe_is_the_default() -> None:
    config = make_fit_config(distiller="kd", data="npz:mine.npz", teacher="resnet56", student="resnet20")
    assert config.recipe == REPDISTILLER
    assert (config.train_on, config.calibrate, config.accumulate) == ("all", "none", 1)
    assert (config.augment, config.views, config.cache_gb) == ("crop-flip", 240, 0.0)
    light = make_fit_config(distiller="kd", data="cifar100", student="mobilenetv2")
    assert light.recipe.lr == 0.01
    transformer = make_fit_config(distiller="kd", data="cifar100", student="deit_ti")
    assert (transformer.recipe, transformer.augment) == (LOCALITY, "strong")
    assert make_fit_config(distiller="kd", data="imagenet:there").recipe == IMAGENET


def test_digits_are_trained_as_in_a_run_and_the_teachers_outputs_kept() -> None:
    config = make_fit_config(distiller="none")
    assert config.recipe == STUDENT
    assert (config.augment, config.views, config.cache_gb) == ("none", 1, 4.0)


def test_what_is_given_counts() -> None:
    config = make_fit_config(
        distiller="kd", data="cifar100", epochs=12, lr=0.1, batch_size=128, clip=5.0, augment="crop-flip", views=3
    )
    recipe = config.recipe
    assert (recipe.epochs, recipe.lr, recipe.batch_size, recipe.clip) == (12, 0.1, 128, 5.0)
    assert recipe.milestones == REPDISTILLER.milestones
    assert config.views == 3
    assert make_fit_config(distiller="kd", data="cifar100", epochs=12).views == 12
    plain = make_fit_config(distiller="kd", data="cifar100", augment="none", cache_gb=0)
    assert (plain.views, plain.cache_gb) == (1, 0.0)


def test_options_come_back_from_json() -> None:
    config = make_fit_config(distiller="kd", data="cifar100", student="deit_ti", epochs=7, taps=("stage1=blocks.0",))
    assert make_fit_config(**json.loads(json.dumps(config.identity))) == config


def test_a_distillers_path_does_not_depend_on_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_fit_config(distiller="best.json").distiller == str(tmp_path.resolve() / "best.json")
    assert make_fit_config(distiller="weight(1, kl(logits, 4))").distiller == "weight(1, kl(logits, 4))"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no distiller is given"),
        ({"distiller": "kd", "pop": 3}, "no option `pop`"),
        ({"distiller": "kd", "epoch": 3}, "did you mean `epochs`"),
        ({"distiller": "kd", "accumulate": 0}, "--accumulate is 0, but should be greater"),
        ({"distiller": "kd", "clip": -1.0}, "--clip is -1.0"),
        ({"distiller": "kd", "calibrate": "yes"}, "--calibrate is 'yes'"),
        ({"distiller": "kd", "preset": "crd"}, "no preset 'crd'"),
    ],
)
def test_bad_options_are_told(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_fit_config(**options)
