"""Write what docs/reference.md says of commands and of training's settings from their own declarations.

python scripts/write_reference.py
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import typer.main

from nearid_search.cli.app import app
from nearid_search.trainer.config import TrainConfig

REFERENCE = Path(__file__).parents[1] / "docs" / "reference.md"
MARKS = "<!-- {}: written by scripts/write_reference.py -->\n", "<!-- end of {} -->\n"


class _Command(Protocol):
    """What is read of a command; the library that declares it keeps its own classes private."""

    help: str
    params: list[Any]


class _Group(Protocol):
    commands: dict[str, Any]


def main() -> None:
    """Replace what is between the marks."""
    REFERENCE.write_text(with_declarations(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")


def with_declarations(text: str) -> str:
    """Return the document with commands and settings as they are now.

    Args:
        text: the whole document, holding all marks.

    Returns:
        The document; everything outside the marks as it was.

    Raises:
        ValueError: if a mark is missing.
    """
    parts = {
        "commands": "\n".join(_section(name, command) for name, command in commands()),
        "settings": "\n".join(["| setting | default | meaning |", "|---|---|---|", *settings(TrainConfig), ""]),
    }
    for name, content in parts.items():
        begin, end = (mark.format(name) for mark in MARKS)
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{content}\n{end}{after}"
    return text


def settings(config: type[Any], prefix: str = "") -> Iterator[str]:
    """Yield a row of the table for every setting, those of tables inside after the others.

    Args:
        config: a dataclass whose docstring describes its attributes.
        prefix: of the names, such as ``head.``.
    """
    _, _, described = (inspect.getdoc(config) or "").partition("Attributes:\n")
    meanings = dict(re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", described, re.MULTILINE))
    inner = []
    for field in dataclasses.fields(config):
        if field.default_factory is not dataclasses.MISSING:
            inner.append((type(field.default_factory()), f"{prefix}{field.name}."))
            continue
        missing = field.default in (dataclasses.MISSING, None, "")
        default = "" if missing else f"`{json.dumps(field.default)}`"
        meaning = re.sub(r"\s+", " ", meanings[field.name]).replace("``", "`").replace("None", "left out")
        yield f"| `{prefix}{field.name}` | {default} | {_in_table(meaning)} |"
    for table, name in inner:
        yield from settings(table, name)


def commands() -> Iterator[tuple[str, _Command]]:
    """Yield every command and its full name, such as ``gallery info``."""
    yield from _below("", typer.main.get_command(app))


def _below(prefix: str, group: _Group) -> Iterator[tuple[str, _Command]]:
    for name, command in group.commands.items():
        full_name = f"{prefix} {name}".strip()
        is_group = hasattr(command, "commands")
        if not is_group or command.invoke_without_command:
            yield full_name, command
        if is_group:
            yield from _below(full_name, command)


def _section(name: str, command: _Command) -> str:
    summary, _, example = command.help.partition("Example: ")
    lines = [f"### {name}", "", summary.strip(), ""]
    if example:
        lines += ["```bash", example.strip(), "```", ""]
    lines += ["| argument or option | default | meaning |", "|---|---|---|"]
    for parameter in command.params:
        shown = ", ".join(parameter.opts) if parameter.param_type_name == "option" else parameter.name.upper()
        no_default = parameter.required or parameter.default is None or parameter.default is False
        default = "" if no_default else f"`{parameter.default}`"
        lines.append(f"| `{shown}` | {default} | {_in_table(parameter.help)} |")
    return "\n".join(lines) + "\n"


def _in_table(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    main()
