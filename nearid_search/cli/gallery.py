"""``nearid-search gallery``: look at a gallery."""

from __future__ import annotations

from typing import Annotated

import typer

from nearid_search.cli.options import GalleryOption, JsonOption

app = typer.Typer(help="Look at a gallery.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def info(
    gallery: GalleryOption = None,
    failures: Annotated[bool, typer.Option("--failures", help="Also list files that cannot be indexed.")] = False,
    json: JsonOption = False,
) -> None:
    """Say what a gallery holds and which encoder made it.

    Example: nearid-search gallery info --failures
    """
    from nearid_search.cli import render
    from nearid_search.indexer.gallery import Gallery

    opened = Gallery.open(gallery)
    render.print_gallery_info(opened.info(), opened.failures() if failures else None, json=json)


@app.command("list")
def list_identities(gallery: GalleryOption = None, json: JsonOption = False) -> None:
    """List the identities and how many images each has.

    Example: nearid-search gallery list
    """
    from nearid_search.cli import render
    from nearid_search.indexer.gallery import Gallery

    render.print_identities(Gallery.open(gallery).identities(), json=json)
