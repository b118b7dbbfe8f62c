"""Makes `benchmarks` importable: the scripts are run from the root of the repository, not installed."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)


@pytest.fixture
def shared_cache(teacher_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The teachers that the test session has trained."""
    monkeypatch.setenv("KDZERO_GP_CACHE", teacher_cache)


@pytest.fixture(scope="session")
def small_cifar100(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Path:
    """The folder of a finished quick run: `cifar100.json`, and `keep` with everything trained."""
    from benchmarks.cifar100.__main__ import app

    folder = tmp_path_factory.mktemp("cifar100")
    call = ["--quick", "--workers", "1", "--keep", str(folder / "keep"), "--out", str(folder / "cifar100.json")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        outcome = CliRunner(env={"COLUMNS": "250"}).invoke(app, call)
    assert outcome.exit_code == 0, outcome.output
    return folder
