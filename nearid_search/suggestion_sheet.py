"""One HTML file with the pictures of each suggestion side by side; no network needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.suggestion_records import Suggestion
from nearid_search.picture_page import data_uri, write_page


def write_sheet(path: Path, shown: Sequence[tuple[Suggestion, tuple[str, str]]], gallery: Gallery) -> None:
    """Write the contact sheet of some suggestions; pictures are the gallery's stored thumbnails.

    Args:
        path: the HTML file; its folder must exist.
        shown: each suggestion with what one would type to act on it and to have it never again.
        gallery: the gallery they are about.

    Raises:
        ConfigError: if the file cannot be written.
    """
    keys = {picture.key for suggestion, _ in shown for picture in suggestion.pictures}
    thumbnails = {key: data_uri(jpeg) for key, jpeg in gallery.store.thumbnails(keys).items()}
    write_page(
        path,
        "suggestions.html",
        shown=shown,
        thumbnails=thumbnails,
        encoder=gallery.manifest.encoder.fingerprint,
        gallery=str(gallery.folder),
    )
