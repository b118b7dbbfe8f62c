"""The pages of the commands: every option with its help, read from the commands themselves."""

import importlib
import importlib.util
from collections.abc import Iterable
from typing import Any

from typer.main import get_command

COMMANDS = ("run", "train", "compare", "browse", "plot")
INDEX = "commands/index.md"


def pages() -> dict[str, str | bytes]:
    """One page for each command, and a list of all."""
    found: dict[str, str | bytes] = {INDEX: _index()}
    for name in COMMANDS:
        command = load(name)
        found[f"commands/{name}.md"] = "\n".join(_page(f"python -m kdzero_gp.{name}", command))
    return found


def navigation() -> list[Any]:
    """The list of all, then every command."""
    return [INDEX, *({name: f"commands/{name}.md"} for name in COMMANDS)]


def load(name: str) -> Any:
    """The command `python -m kdzero_gp.NAME`, as click knows it."""
    module = importlib.import_module(f"kdzero_gp.{name}")
    if not hasattr(module, "app"):
        module = importlib.import_module(f"kdzero_gp.{name}.__main__")
    return get_command(module.app)


def _index() -> str:
    rows = [f"| [`python -m kdzero_gp.{name}`]({name}.md) | {_first_line(load(name))} |" for name in COMMANDS]
    return "\n".join(["# Commands\n", "| command | what it does |", "|---|---|", *rows, ""])


def _first_line(command: Any) -> str:
    return str(command.help or "").strip().partition("\n")[0]


def _page(call: str, command: Any) -> Iterable[str]:
    yield f"# {call.removeprefix('python -m kdzero_gp.')}\n"
    yield from _section(call, command)
    for name, sub in getattr(command, "commands", {}).items():
        yield f"## {name}\n"
        yield from _section(f"{call} {name}", sub)


def _section(call: str, command: Any) -> Iterable[str]:
    """A command's own help: what it does, how it is called, its arguments and options."""
    yield "\n\n".join(" ".join(paragraph.split()) for paragraph in str(command.help or "").split("\n\n")) + "\n"
    context = command.context_class(command, info_name=call)
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    named = [str(a.metavar or f"{a.name.upper()} …") for a in arguments]
    commands = ["COMMAND"] if getattr(command, "commands", None) else []
    yield f"```\n{' '.join([call, *commands, *named, *(['[OPTIONS]'] if options else [])])}\n```\n"
    yield from _table(
        "argument", [(name, a.get_help_record(context)[1]) for name, a in zip(named, arguments, strict=True)]
    )
    yield from _table("option", [option.get_help_record(context) for option in options])


def _table(what: str, records: list[tuple[str, str]]) -> Iterable[str]:
    if records:
        yield f"| {what} | |\n|---|---|"
        for name, text in records:
            yield f"| `{name}` | {text} |"
        yield ""
