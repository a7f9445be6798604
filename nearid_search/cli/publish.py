"""``nearid-search gallery publish``: keep a copy of a gallery in a vector engine."""

from __future__ import annotations

from typing import Annotated

import typer

from nearid_search.cli.options import ForegroundOption, GalleryOption, JsonOption


def publish(
    target: Annotated[str, typer.Argument(help="Address of a Qdrant server; or a folder, for a trial.")],
    collection: Annotated[str, typer.Option(help="Its name; made if it is not there.")] = "nearid",
    gallery: GalleryOption = None,
    foreground: ForegroundOption = None,
    moved: Annotated[bool, typer.Option("--moved", help="The gallery was elsewhere the last time.")] = False,
    json: JsonOption = False,
) -> None:
    """Make a collection of a Qdrant server hold what the gallery holds, to be searched there by identity.

    Example: nearid-search gallery publish http://localhost:6333 --collection shop
    """
    from rich.console import Console
    from rich.text import Text

    from nearid_search.cli.progress import OneBar
    from nearid_search.cli.render import print_json
    from nearid_search.indexer.exchange.publish import publish_gallery

    with OneBar("publishing", quiet=json) as bar:
        report = publish_gallery(
            target, collection, gallery=gallery, foreground=foreground, moved=moved, on_progress=bar.advance
        )
    if json:
        print_json(report.as_dict())
        return
    counts = f"{report.written} written, {report.unchanged} unchanged, {report.removed} removed"
    line = f"{report.images} images in {report.collection} at {report.target}: {counts} ({report.seconds:.1f} s)"
    Console(soft_wrap=True).print(Text(line))
