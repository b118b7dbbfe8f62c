"""One quick run of the figures for all their tests."""

from pathlib import Path

import pytest
from typer.testing import CliRunner


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory, teacher_cache: str) -> Path:
    """The folder of a finished quick run: `figures`, its result file, and `keep` with everything trained."""
    pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed")
    from benchmarks.figures.__main__ import app

    folder = tmp_path_factory.mktemp("figures")
    call = ["--quick", "--setting", "cifar100", "--workers", "1", "--keep", str(folder / "keep")]
    call += ["--out", str(folder / "figures"), "--result", str(folder / "figures_cifar100.json")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KDZERO_GP_CACHE", teacher_cache)
        done = CliRunner(env={"COLUMNS": "250"}).invoke(app, call)
    assert done.exit_code == 0, done.output
    return folder
