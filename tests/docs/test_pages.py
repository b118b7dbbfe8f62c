"""What the pages say is so: sessions give what is printed, and commands, options and files that are named exist."""

import doctest
import re
from pathlib import Path

import pytest

from docs.site.commands import COMMANDS, load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "pages").rglob("*.md"))
TEXTS = {str(path.relative_to(ROOT / "docs" / "pages")): path.read_text(encoding="utf-8") for path in PAGES}
EXAMPLES = ROOT / "docs" / "examples"
FILES = sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py"))
TORCHRUN = {"--standalone", "--nproc-per-node"}


def options(name: str) -> set[str]:
    """All options of a command and of its sub-commands."""
    top = load(name)
    commands = [top, *getattr(top, "commands", {}).values()]
    return {option for each in commands for p in each.params for option in p.opts + p.secondary_opts}


@pytest.mark.parametrize("page", [name for name, text in TEXTS.items() if ">>> " in text])
def test_sessions_give_what_is_printed(page: str) -> None:
    blocks = re.findall(r"```pycon\n(.*?)```", TEXTS[page], re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, page, page, 0)
    assert test.examples
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


@pytest.mark.parametrize("page", TEXTS)
def test_every_option_that_is_named_exists(page: str) -> None:
    known = {option for name in COMMANDS for option in options(name)} | TORCHRUN
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"pip install.*|<!--.*?-->|--8<--", "", TEXTS[page])))
    assert named <= known, named - known


@pytest.mark.parametrize("page", TEXTS)
def test_a_commands_own_options_are_used(page: str) -> None:
    """`python -m kdzero_gp.train --pop 20` names an option that there is, but not one of this command."""
    for name, rest in re.findall(r"-m kdzero_gp\.(\w+)([^\n`]*)", TEXTS[page]):
        assert name in COMMANDS
        used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", rest))
        assert used <= options(name), used - options(name)


@pytest.mark.parametrize("file", FILES)
def test_every_example_file_is_shown_by_a_page(file: str) -> None:
    assert any(f'--8<-- "{file}"' in text for text in TEXTS.values())
