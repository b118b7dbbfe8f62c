"""The site is whole before it is built: `make docs` builds it, which takes too long for a test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mkdocs.config import load_config
from mkdocs.config.defaults import MkDocsConfig
from pymdownx.superfences import SuperFencesException

import kdzero_gp
from docs.site import fences, hooks, python_names
from docs.site.commands import COMMANDS, load
from docs.site.example_tree import example_tree
from docs.site.shared_lines import split_lines
from kdzero_gp import parse
from kdzero_gp.grammar.registry import default_registry

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def config() -> MkDocsConfig:
    return hooks.on_config(load_config(str(ROOT / "mkdocs.yml")))


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return {uri: text if isinstance(text, str) else "" for uri, text in hooks.generated().items()}


def listed(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from listed(entry)


def test_every_page_is_in_the_navigation_once_and_there(config: MkDocsConfig, generated: dict[str, str]) -> None:
    written = {str(path.relative_to(config.docs_dir)) for path in Path(config.docs_dir).rglob("*.md")}
    pages = sorted(listed(config.nav))
    assert pages == sorted(written | {uri for uri in generated if uri.endswith(".md")})


def test_a_warning_fails_the_build(config: MkDocsConfig) -> None:
    assert config.strict
    assert config.validation.links.anchors > 0


def test_nothing_comes_from_the_network(config: MkDocsConfig) -> None:
    assert config.theme["font"] is False
    linked = [*config.extra["polyfills"], *config.extra_css, *map(str, config.extra_javascript)]
    assert linked
    assert all((Path(config.docs_dir) / name).is_file() for name in linked)


def test_every_primitive_has_its_entry_its_formula_and_its_drawing(generated: dict[str, str]) -> None:
    text = "\n".join(text for uri, text in generated.items() if uri.startswith("primitives/"))
    for name, operation in default_registry().items():
        assert text.count(f"## `{name}` {{ #{name} }}") == 1, name
        assert f"primitives/drawings/{name}.svg" in generated
        assert f"drawings/{name}.svg)" in text
        if operation.formula:
            assert f"`{operation.formula}`" not in text, f"the formula of {name} is not drawn"
    assert text.count('<svg xmlns="http://www.w3.org/2000/svg" class="formula"') >= len(default_registry())


@pytest.mark.parametrize("name", [*default_registry()])
def test_an_example_is_a_distiller_with_its_operation(name: str) -> None:
    tree = parse(example_tree(default_registry()[name]))
    assert name in {node.symbol for node in tree.root.walk()}


def test_every_option_of_every_command_is_listed(generated: dict[str, str]) -> None:
    for name in COMMANDS:
        command = load(name)
        page = generated[f"commands/{name}.md"]
        for each in (command, *getattr(command, "commands", {}).values()):
            options = [option for parameter in each.params for option in parameter.opts if option.startswith("--")]
            assert all(option in page for option in options), name


def test_every_public_name_and_every_module_is_documented(generated: dict[str, str]) -> None:
    public = generated["python/index.md"]
    assert all(f"::: kdzero_gp.{name}\n" in public for name in kdzero_gp.__all__)
    modules = {module for room in python_names.rooms().values() for module in room}
    text = "\n".join(text for uri, text in generated.items() if uri.startswith("python/"))
    assert all(f"::: {module}\n" in text for module in modules)
    assert "kdzero_gp.grammar.parse" in modules


def test_results_are_the_benchmarks_page_with_its_pictures(generated: dict[str, str]) -> None:
    assert "<!-- table: digits -->" in generated["results.md"]
    assert "results/figures/capacity.png" in generated


def test_what_cannot_be_drawn_ends_the_build() -> None:
    assert "data:image/svg+xml;base64," in fences.distiller("weight(1, l2(pool))\n")
    with pytest.raises(SuperFencesException, match="found `l3`"):
        fences.distiller("weight(1, l3(pool))")
    assert fences.formula(r"\frac{1}{2}").count("<svg") == 1
    with pytest.raises(SuperFencesException, match="mathtext"):
        fences.formula(r"\begin{cases} x \end{cases}")


def test_parameters_that_share_a_line_get_one_each() -> None:
    shared = "Does it.\n\nArgs:\n    a, b: two numbers,\n        both small.\n    c: another, and one, too: large\n"
    apart = shared.replace("    a, b: two", "    a: two numbers,\n        both small.\n    b: two")
    assert split_lines(shared) == apart
    assert split_lines(apart) == apart
