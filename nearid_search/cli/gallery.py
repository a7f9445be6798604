"""``nearid-search gallery``: look at a gallery, and tune its search index."""

from __future__ import annotations

from typing import Annotated

import typer

from nearid_search.cli.options import GalleryOption, JsonOption
from nearid_search.config import TuneConfig

app = typer.Typer(help="Look at a gallery, and tune its search index.", no_args_is_help=True, rich_markup_mode=None)


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


@app.command()
def tune(
    gallery: GalleryOption = None,
    queries: Annotated[int, typer.Option(help="Stored views to ask.", min=1)] = TuneConfig.queries,
    seed: Annotated[int, typer.Option(help="Of the sample they are taken from.")] = TuneConfig.seed,
    max_loss: Annotated[
        float, typer.Option(help="Points of 100 of identity rank-1 that the index may lose.")
    ] = TuneConfig.max_loss,
    json: JsonOption = False,
) -> None:
    """Have the search index look far enough to keep look-alikes apart, and measure what it costs.

    Example: nearid-search gallery tune
    """
    from nearid_search.cli.tuning_table import print_tuning
    from nearid_search.indexer.gallery import Gallery
    from nearid_search.indexer.tune import tune_gallery

    config = TuneConfig(queries=queries, seed=seed, max_loss=max_loss)
    print_tuning(tune_gallery(Gallery.open(gallery), config), json=json)
