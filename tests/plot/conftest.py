"""Small final trainings of the digits' pair, as `python -m kdzero_gp.train` leaves them."""

from pathlib import Path

import pytest

from kdzero_gp.plot.networks import Pair, load_pair, pair_config
from kdzero_gp.plot.training_folders import read_trainings
from kdzero_gp.train.session import train

OPTIONS = {"teacher": "cnn4", "student": "cnn2", "limit": 200, "epochs": 3, "train_on": "train", "batch_size": 32}


@pytest.fixture(scope="session")
def trainings(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Path:
    """A folder with the trainings none-0, none-1, kd-0 and own-0."""
    folder = tmp_path_factory.mktemp("trainings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        for name, distiller in (("none", "none"), ("kd", "kd"), ("own", "weight(1, l2(logits))")):
            for seed in (0, 1) if name == "none" else (0,):
                train(distiller=distiller, seed=seed, run_dir=folder / f"{name}-{seed}", **OPTIONS)
    return folder


@pytest.fixture
def texts(trainings: Path, teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Three of them as a user names them."""
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)
    return [f"{trainings}/none-0", f"{trainings}/kd-0", f"evolved={trainings}/own-0"]


@pytest.fixture(scope="session")
def pair(trainings: Path, teacher_cache: str) -> Pair:
    """The networks of none-0 and kd-0."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        found = read_trainings([str(trainings / "none-0"), str(trainings / "kd-0")])
        return load_pair(found, pair_config(found))
