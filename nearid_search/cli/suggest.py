"""``nearid-search gallery suggest``: what to correct, most useful first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nearid_search.cli.options import GalleryOption, JsonOption, require_new_file
from nearid_search.cli.progress import OneBar
from nearid_search.cli.render import note, print_json, print_whole
from nearid_search.config import SuggestConfig

if TYPE_CHECKING:
    from nearid_search.suggestion import Suggestions


def suggest(
    identities: Annotated[list[str] | None, typer.Argument(help="Only what these are shown for.")] = None,
    count: Annotated[int, typer.Option("-n", "--count", help="Suggestions at most.", min=1)] = SuggestConfig.count,
    views: Annotated[
        int, typer.Option(help="Stored views looked at; whole identities are drawn from a larger gallery.", min=1)
    ] = SuggestConfig.views,
    margin: Annotated[
        float, typer.Option(help="How much farther apart than views of one identity duplicates may be.", min=0, max=2)
    ] = SuggestConfig.margin,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = SuggestConfig.seed,
    gallery: GalleryOption = None,
    html: Annotated[Path | None, typer.Option(help="Write the pictures side by side into one HTML file.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the HTML file.")] = False,
    json: JsonOption = False,
) -> None:
    """List identities that may be one and pictures that may be in the wrong place, each with what to type about it.

    Example: nearid-search gallery suggest -n 10
    """
    from nearid_search.indexer.gallery import Gallery
    from nearid_search.indexer.review.suggestions import keys_of, suggest_corrections

    require_new_file(html, force=force)
    opened = Gallery.open(gallery)
    config = SuggestConfig(count=count, views=views, margin=margin, seed=seed)
    with OneBar("looking at views", quiet=json) as progress:
        keys = keys_of(opened, identities) if identities else None
        suggestions = suggest_corrections(opened, config, keys=keys, on_views=progress.advance, on_warning=note)
    if html is not None:
        from nearid_search.suggestion_sheet import write_sheet

        write_sheet(html, suggestions.found, opened, named=gallery)
        note(f"pictures: {html}")
    _print(suggestions, gallery, json=json)


def _print(suggestions: Suggestions, gallery: Path | None, *, json: bool) -> None:
    if json:
        for suggestion in suggestions.found:
            print_json(suggestion.as_dict(gallery))
        return
    looked = f"{suggestions.views:,} of {suggestions.images:,} pictures looked at"
    if not suggestions.found:
        Console(soft_wrap=True).print(Text(f"nothing to suggest; {looked}"))
        return
    for number, suggestion in enumerate(suggestions.found, start=1):
        command, keep = suggestion.commands(gallery)
        Console(soft_wrap=True).print(Text(f"{number}. {suggestion.describe()}", style="bold"))
        table = Table(show_edge=False, show_header=False)
        for picture in suggestion.pictures:
            table.add_row(Text(picture.identity), Text(picture.path or picture.key))
        table.add_row("to act", Text(command, style="green"))
        table.add_row("if it is right", Text(keep, style="dim"))
        print_whole(table)
    note(looked)
