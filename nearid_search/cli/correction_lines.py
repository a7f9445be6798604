"""How corrections, their history and tags look."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.cli.render import print_json, print_whole
from nearid_search.indexer.corrections.desk import Correction
from nearid_search.indexer.corrections.restore_point import Tag
from nearid_search.indexer.corrections.taking_back import PastEntry


def print_correction(made: Correction, *, json: bool) -> None:
    """Print what a correction did, and how to take it back."""
    if json:
        print_json(made.as_dict())
        return
    entry = made.entry
    images = f"{made.images} image{'' if made.images == 1 else 's'} changed"
    back = "" if entry.action == "undo" else f"; to take it back: nearid-search gallery undo {entry.number}"
    Console(soft_wrap=True).print(Text(f"{entry.what}: {images} (entry {entry.number}{back})"))


def print_history(entries: Sequence[PastEntry], *, json: bool) -> None:
    """Print entries of the log, the latest last."""
    if json:
        print_json([past.as_dict() for past in entries])
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("entry", justify="right")
    for heading in ("when (UTC)", "who", "action", "what", "why", "state", "version"):
        table.add_column(heading, overflow="fold")
    for past in entries:
        entry = past.entry
        state = "holds" if past.undone_by is None else f"undone by {past.undone_by}"
        if past.version is None:
            state = "half done: the next command that writes ends it"
        table.add_row(
            str(entry.number),
            Text(entry.when[:19].replace("T", " ")),
            Text(entry.who),
            Text(entry.action),
            Text(entry.what),
            Text(entry.why or ""),
            Text(state),
            str(past.version or ""),
        )
    print_whole(table)


def print_tags(tags: Sequence[Tag], *, json: bool) -> None:
    """Print the named versions of a gallery."""
    if json:
        print_json([tag._asdict() for tag in tags])
        return
    table = Table(show_edge=False, header_style="dim")
    table.add_column("tag", overflow="fold")
    table.add_column("version", justify="right")
    table.add_column("written (UTC)")
    for tag in tags:
        table.add_row(Text(tag.tag), str(tag.version), Text(tag.when[:19].replace("T", " ")))
    print_whole(table)
