"""The configuration: each option's rule, and messages that name option, value and way out."""

from pathlib import Path
from typing import Any

import pytest
import torch

from kdzero_gp.errors import ConfigError
from kdzero_gp.execute.config import NOT_IDENTITY
from kdzero_gp.run.config import RunConfig, make_config


def test_nothing_given_is_the_default_run() -> None:
    config = make_config()
    assert (config.pop, config.gens, config.seed, config.algorithm) == (20, 25, 0, "evolve")
    assert (config.data, config.teacher, config.student, config.device) == ("digits", "cnn32", "cnn2", "cpu")
    assert (config.workers, config.threads) == (None, 1)
    assert config.pair == "cnn32 -> cnn2"


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("pop", 1, "--pop is 1, but should be greater than or equal to 2"),
        ("pop", 10**6, "--pop is 1000000, but should be less than or equal to 100000"),
        ("pop", "many", "--pop is 'many', but should be a valid integer"),
        ("gens", -1, "--gens is -1, but should be greater than or equal to 0"),
        ("seed", -1, "--seed is -1, but should be greater than or equal to 0"),
        ("seed", 2**63, "--seed is 9223372036854775808, but should be less than"),
        ("algorithm", "anneal", "--algorithm is 'anneal', but should be 'evolve' or 'random'"),
        ("selection", "best", "--selection is 'best', but should be 'tournament' or 'nsga2'"),
        ("space", "all", "--space is 'all', but should be 'table1' or 'extended'"),
        ("calibrate", "yes", "--calibrate is 'yes', but should be 'gradient' or 'none'"),
        ("max_depth", 1, "--max-depth is 1, but should be greater than or equal to 2"),
        ("max_size", 3, "--max-size is 3, but should be greater than or equal to 4"),
        ("epochs", 0, "--epochs is 0, but should be greater than or equal to 1"),
        ("proxy_epochs", 0, "--proxy-epochs is 0, but"),
        ("batch_size", 1, "--batch-size is 1, but should be greater than or equal to 2"),
        ("lr", 0, "--lr is 0, but should be greater than 0"),
        ("lr", float("nan"), "--lr is nan, but should be"),
        ("lr", float("inf"), "--lr is inf, but should be a finite number"),
        ("timeout", 0, "--timeout is 0, but should be greater than 0"),
        ("final_seeds", 0, "--final-seeds is 0, but"),
        ("finalists", 0, "--finalists is 0, but"),
        ("workers", 0, "--workers is 0, but should be greater than or equal to 1"),
        ("threads", 0, "--threads is 0, but"),
        ("limit", 1, "--limit is 1, but"),
        ("device", "tpu", "device is 'tpu', but must be auto, cpu, cuda or cuda:N"),
        ("device", "meta", "device is 'meta', but must be auto, cpu, cuda or cuda:N"),
        ("device", "cuda:99", "device is 'cuda:99', but torch sees .* CUDA devices here; use --device cpu"),
        ("seed_methods", ("kd", "ktt"), "Unknown method 'ktt'.*Known: ab, at, .*dkd"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(option: str, value: Any, rule: str) -> None:
    with pytest.raises(ConfigError, match=rule):
        make_config(**{option: value})


def test_several_bad_values_are_all_named() -> None:
    with pytest.raises(ConfigError, match=r"--pop is 0.*\n.*--gens is -2"):
        make_config(pop=0, gens=-2)


def test_an_unknown_option_is_named_with_the_closest() -> None:
    with pytest.raises(ConfigError, match=r"no option `popp`; did you mean `pop`\?"):
        make_config(popp=3)
    with pytest.raises(ConfigError, match="no option `zzz`; known are task, data, "):
        make_config(zzz=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"algorithm": "random", "seed_methods": ("kd",)}, "--seed-methods begin an evolution, but --algorithm is"),
        ({"algorithm": "random", "selection": "nsga2"}, "--selection nsga2 selects parents, but --algorithm random"),
    ],
)
def test_contradictions_are_refused_with_the_way_out(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=f"{message}.*leave one of the two options out"):
        make_config(**options)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_config().pop = 3  # type: ignore[misc]


def test_primitive_files_are_kept_by_their_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make_config(primitives=["ops.py"]).primitives == (str(tmp_path.resolve() / "ops.py"),)


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    assert make_config(device="auto").device == ("cuda" if torch.cuda.is_available() else "cpu")


def test_its_plain_form_gives_the_same_configuration_again() -> None:
    config = make_config(pop=7, primitives=["/a/ops.py"], seed_methods=["kd", "at"], lr=0.25, workers=3)
    plain = config.identity
    older = {"task", "base"}
    assert set(plain) == set(RunConfig.model_fields) - NOT_IDENTITY - older, "older runs are of the usual kind"
    assert make_config(**plain, workers=3) == config
    several = make_config(task="multilabel")
    assert several.identity["task"] == "multilabel"
    assert several.fitness == "bce"
    assert make_config(**several.identity) == several
    added = make_config(base="dkd(beta=8)")
    assert added.identity["base"] == "dkd(beta=8)"
    assert make_config(**added.identity) == added


def test_how_many_workers_is_no_part_of_what_a_run_is() -> None:
    assert make_config(workers=3).identity == make_config().identity
    assert make_config(threads=2).identity != make_config().identity, "the order of sums changes the last bits"
