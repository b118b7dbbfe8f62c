"""`make setup` on machines where something is missing, and after an install that was cut off.

A shell script stands in for Python: it knows the few calls that the Makefile makes and installs nothing.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FAKE_PYTHON = """#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  *"sys.version_info"*) exit $TOO_OLD ;;
  *"platform.python_version"*) echo 3.9.2 ;;
  *"import ensurepip"*) exit $NO_ENSUREPIP ;;
  "-m venv --clear .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
  "-m pip install"*) exit $PIP_FAILS ;;
esac
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


class Checkout:
    """A folder with the project's set-up files and a stand-in for Python."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, folder / name)
        self.python = folder / "fake-python"
        self.python.write_text(FAKE_PYTHON)
        self.python.chmod(0o755)
        self.calls = folder / "calls"

    def setup(self, python: str | None = None, **faults: str) -> subprocess.CompletedProcess[str]:
        """Run `make setup`; faults are TOO_OLD, NO_ENSUREPIP or PIP_FAILS = "1"."""
        self.calls.write_text("")
        # The outer `make test` hands its own options down in MAKEFLAGS; this one must not see them.
        outer = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        state = {"CALLS": str(self.calls), "TOO_OLD": "0", "NO_ENSUREPIP": "0", "PIP_FAILS": "0"}
        return subprocess.run(
            ["make", "setup", f"PYTHON={python or self.python}"],
            cwd=self.folder,
            env=outer | state | faults,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def installs(self) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith("-m pip install")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_installs_under_the_constraints_once(checkout: Checkout) -> None:
    assert checkout.setup().returncode == 0
    (install,) = checkout.installs()
    assert "-c constraints.txt -e .[dev]" in install
    assert checkout.setup().returncode == 0
    assert checkout.calls.read_text() == "", "a second call should start nothing"


@pytest.mark.parametrize("file", ["pyproject.toml", "constraints.txt"])
def test_installs_again_when_a_file_changed(checkout: Checkout, file: str) -> None:
    checkout.setup()
    done = (checkout.folder / ".venv" / "setup-done").stat().st_mtime
    os.utime(checkout.folder / file, (done + 10, done + 10))
    checkout.setup()
    assert len(checkout.installs()) == 1


def test_old_python_is_named_with_its_version(checkout: Checkout) -> None:
    result = checkout.setup(TOO_OLD="1")
    assert result.returncode != 0
    assert "Python 3.9.2, but kdzero_gp needs 3.11 or newer" in result.stderr
    assert not (checkout.folder / ".venv").exists()


def test_missing_python_is_said(checkout: Checkout) -> None:
    result = checkout.setup(python="no-such-python")
    assert result.returncode != 0
    assert "found no program 'no-such-python'" in result.stderr


def test_missing_ensurepip_names_the_debian_package(checkout: Checkout) -> None:
    result = checkout.setup(NO_ENSUREPIP="1")
    assert result.returncode != 0
    assert "apt-get install python3-venv" in result.stderr
    assert not (checkout.folder / ".venv").exists()


def test_interrupted_install_starts_anew(checkout: Checkout) -> None:
    assert checkout.setup(PIP_FAILS="1").returncode != 0
    half = checkout.folder / ".venv" / "half-a-package"
    half.touch()
    result = checkout.setup()
    assert result.returncode == 0
    assert "cut off" in result.stdout
    assert not half.exists()
    assert len(checkout.installs()) == 1
