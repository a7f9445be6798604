"""Write the commands' part of docs/reference.md from the command line's own declarations.

python scripts/write_reference.py
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import typer.main

from nearid_search.cli.app import app

REFERENCE = Path(__file__).parents[1] / "docs" / "reference.md"
BEGIN, END = "<!-- commands: written by scripts/write_reference.py -->\n", "<!-- end of commands -->\n"


class _Command(Protocol):
    """What is read of a command; the library that declares it keeps its own classes private."""

    help: str
    params: list[Any]


class _Group(Protocol):
    commands: dict[str, Any]


def main() -> None:
    """Replace what is between the two marks."""
    REFERENCE.write_text(with_commands(REFERENCE.read_text(encoding="utf-8")), encoding="utf-8")


def with_commands(text: str) -> str:
    """Return the document with the commands as they are now.

    Args:
        text: the whole document, holding both marks.

    Returns:
        The document; everything outside the marks as it was.

    Raises:
        ValueError: if a mark is missing.
    """
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    sections = "\n".join(_section(name, command) for name, command in commands())
    return f"{before}{BEGIN}\n{sections}\n{END}{after}"


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
