"""The transformer's benchmark in small."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from benchmarks import cifar100_deit
from benchmarks.harness.result import read_result


@pytest.mark.usefixtures("shared_cache")
def test_the_transformers_script_makes_a_table_of_its_own(small_cifar100: Path, tmp_path: Path) -> None:
    keep = shutil.copytree(small_cifar100 / "keep", tmp_path / "keep")
    data = f"npz:{small_cifar100 / 'keep' / 'small.npz'}"
    call = (
        "--quick",
        "--workers",
        "1",
        "--data",
        data,
        "--keep",
        str(keep),
        "--out",
        str(tmp_path / "cifar100_deit.json"),
    )
    outcome = CliRunner(env={"COLUMNS": "250"}).invoke(cifar100_deit.app, call)
    assert outcome.exit_code == 0, outcome.output
    result = read_result(tmp_path / "cifar100_deit.json")
    assert result.benchmark == "cifar100_deit"
    assert result.part("methods") == read_result(small_cifar100 / "cifar100.json").part("methods")
