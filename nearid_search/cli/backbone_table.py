"""How the list of backbones looks."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.backbones.registry import BackboneInfo
from nearid_search.cli.render import print_json


def print_backbones(backbones: Sequence[BackboneInfo], *, json: bool) -> None:
    """Print the backbones."""
    if json:
        from dataclasses import asdict

        print_json([asdict(backbone) for backbone in backbones])
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("name", no_wrap=True)
    for heading in ("usable", "what", "dtype", "licence"):
        table.add_column(heading, overflow="fold")
    for backbone in backbones:
        usable = Text("yes", style="green") if backbone.usable else Text("no", style="yellow")
        table.add_row(
            Text(backbone.name), usable, Text(backbone.description), Text(backbone.dtype), Text(backbone.licence)
        )
    Console().print(table)
    for backbone in backbones:
        if backbone.head:
            Console(soft_wrap=True).print(Text(f"{backbone.name}: a trained head ships", style="green"))
        if not backbone.usable:
            Console(soft_wrap=True).print(Text(f"{backbone.name}: {backbone.reason}", style="yellow"))
