"""How the identities of a gallery look."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from nearid_search.cli.render import print_json, print_whole


def print_identities(
    identities: dict[str, int], views: dict[str, list[tuple[str | None, str]]] | None, *, json: bool
) -> None:
    """Print identities, their number of images and, if they are given, path and key of each."""
    if json:
        listed: list[dict[str, Any]] = [{"identity": name, "images": count} for name, count in identities.items()]
        for line in listed if views is not None else []:
            line["views"] = [{"path": path, "key": key} for path, key in (views or {})[line["identity"]]]
        print_json(listed)
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("identity", overflow="fold")
    table.add_column("images", justify="right")
    if views is not None:
        table.add_column("pictures", overflow="fold")
    for name, count in identities.items():
        shown = [] if views is None else [Text("\n".join(path or key for path, key in views[name]))]
        table.add_row(Text(name), str(count), *shown)
    print_whole(table)
