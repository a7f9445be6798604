"""One HTML file with the pictures of each suggestion side by side; no network needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nearid_search.indexer.gallery import Gallery
from nearid_search.picture_page import data_uri, write_page
from nearid_search.suggestion import Suggestion


def write_sheet(path: Path, shown: Sequence[Suggestion], gallery: Gallery, *, named: Path | None = None) -> None:
    """Write the contact sheet of some suggestions; pictures are the gallery's stored thumbnails.

    Args:
        path: the HTML file; its folder must exist.
        shown: the suggestions.
        gallery: the gallery they are about.
        named: what the commands on the page give as ``--gallery``; None to leave that out.

    Raises:
        ConfigError: if the file cannot be written.
    """
    keys = {picture.key for suggestion in shown for picture in suggestion.pictures}
    thumbnails = {key: data_uri(jpeg) for key, jpeg in gallery.store.thumbnails(keys).items()}
    write_page(
        path,
        "suggestions.html",
        shown=[(suggestion, suggestion.commands(named)) for suggestion in shown],
        thumbnails=thumbnails,
        encoder=gallery.manifest.encoder.fingerprint,
        gallery=str(gallery.folder),
    )
