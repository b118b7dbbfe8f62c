"""pyproject.toml, constraints.txt and environment.yml say the same about every dependency."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)["project"]


def bounds() -> list[Requirement]:
    """The direct dependencies, with those of the extra `dev`."""
    lines = [*project()["dependencies"], *project()["optional-dependencies"]["dev"]]
    return [Requirement(line) for line in lines]


def pins(lines: list[str]) -> dict[str, str]:
    """name -> version of lines `name==version`; each name may come once."""
    pairs = [line.split("==") for line in lines]
    found = {canonicalize_name(name): version for name, version in pairs}
    assert len(found) == len(pairs), "a package is named twice"
    return found


def constraints() -> dict[str, str]:
    return pins((ROOT / "constraints.txt").read_text().splitlines())


def conda() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def conda_pip_lines() -> list[str]:
    (section,) = [entry["pip"] for entry in conda()["dependencies"] if isinstance(entry, dict)]
    return section


def conda_pins() -> dict[str, str]:
    return pins([line for line in conda_pip_lines() if not line.startswith("-")])


def test_constraints_are_names_and_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.!]*", line), line


def test_every_dependency_has_a_lower_bound() -> None:
    for bound in bounds():
        assert [spec.operator for spec in bound.specifier] == [">="], str(bound)


@pytest.mark.parametrize("bound", bounds(), ids=lambda bound: bound.name)
def test_tested_version_satisfies_the_bound(bound: Requirement) -> None:
    name = canonicalize_name(bound.name)
    for file, found in (("constraints.txt", constraints()), ("environment.yml", conda_pins())):
        assert name in found, f"{file} lacks {name}"
        assert bound.specifier.contains(Version(found[name])), f"{file}: {name} {found[name]} is not {bound}"


def test_conda_versions_are_the_tested_ones() -> None:
    tested = constraints()
    direct = {canonicalize_name(bound.name) for bound in bounds()}
    assert conda_pins() == {name: tested[name] for name in direct}


def test_conda_installs_this_project_under_the_constraints() -> None:
    assert conda()["name"] == project()["name"]
    assert conda_pip_lines()[-2:] == ["--constraint constraints.txt", "--editable ."]


def test_python_bound_is_the_same_everywhere() -> None:
    required = project()["requires-python"]
    assert f"python{required}" in conda()["dependencies"]
    major, minor = re.fullmatch(r">=(\d+)\.(\d+)", required).groups()
    assert f"sys.version_info < ({major}, {minor})" in (ROOT / "Makefile").read_text()


def test_newest_changelog_entry_is_this_version() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest is not None
    assert newest.group(1) == project()["version"]


def test_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == project()["version"]
    assert citation["license"] == project()["license"]
    assert citation["authors"] == project()["authors"]


def test_docs_are_built_with_what_dev_installs() -> None:
    extras = project()["optional-dependencies"]
    assert set(extras["docs"]) <= set(extras["dev"])


def test_pre_commit_downloads_nothing_and_runs_what_lint_runs() -> None:
    repos = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [hook for repo in repos for hook in repo["hooks"]]
    assert {repo["repo"] for repo in repos} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    recipe = (ROOT / "Makefile").read_text().partition("\nlint: setup\n")[2].partition("\n\n")[0]
    linted = re.findall(r"-m (ruff \w+|mypy .*)", recipe)
    assert [re.search(r"-m (ruff \w+|mypy .*)", hook["entry"])[1] for hook in hooks] == linted


def test_issue_forms_are_forms() -> None:
    forms = [yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")]
    forms = [form for form in forms if "body" in form]
    assert len(forms) == 2
    for form in forms:
        assert {"name", "description", "body"} <= set(form)
        identifiers = [field["id"] for field in form["body"]]
        assert len(set(identifiers)) == len(identifiers)
        assert all(field["attributes"]["label"] for field in form["body"])


def test_lowest_versions_are_the_bounds() -> None:
    listed = subprocess.run(
        [sys.executable, ".ci/lowest.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert pins(listed) == {canonicalize_name(bound.name): next(iter(bound.specifier)).version for bound in bounds()}


def test_packages_carry_their_types() -> None:
    assert (ROOT / "kdzero_gp" / "py.typed").is_file()
