"""Adds the generated pages to the site while MkDocs builds it; MkDocs calls these functions by name."""

from collections.abc import Mapping
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from docs.site import commands, methods, primitives, python_names, results, samples

SECTIONS = {"primitives/": primitives, "commands/": commands, "python/": python_names}
"""By the entry in `nav` that they replace: the modules whose pages are listed there."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the generated pages into the navigation."""
    config.nav = _filled(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages and pictures to those that lie in docs/pages."""
    for uri, content in generated().items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the table of the methods where a page has its mark."""
    return methods.with_table(markdown)


def generated() -> Mapping[str, str | bytes]:
    """All generated files of the site by their path in it."""
    return {**primitives.pages(), **commands.pages(), **python_names.pages(), **results.pages(), **samples.pages()}


def _filled(nav: Any) -> Any:
    if isinstance(nav, list):
        return [_filled(entry) for entry in nav]
    if isinstance(nav, dict):
        return {title: _filled(entry) for title, entry in nav.items()}
    return SECTIONS[nav].navigation() if nav in SECTIONS else nav
