"""One HTML file with each query beside the best views of the identities it was ranked against; no network needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from nearid_search.heat_overlay import overlay_jpeg
from nearid_search.images import encode_thumbnail, read_image
from nearid_search.indexer.gallery import Gallery
from nearid_search.picture_page import data_uri, write_page
from nearid_search.records import QueryAnswer

_THUMBNAIL_SIDE = 256


def write_strip(path: Path, answers: Sequence[QueryAnswer], gallery: Gallery) -> None:
    """Write the picture strip of some answers.

    Pictures of the gallery are its stored thumbnails, so the strip works where the catalogue is not mounted. An
    imported embedding has none; the page says so in its place. Of an explained answer the page shows the heat maps.

    Args:
        path: the HTML file; its folder must exist.
        answers: what was answered, in the order to show.
        gallery: the gallery that answered.

    Raises:
        ConfigError: if the file cannot be written.
        UnreadableImageError: if a query's picture has vanished since.
    """
    keys = {image.key for answer in answers for match in answer.matches for image in match.images}
    thumbnails = {key: data_uri(jpeg) for key, jpeg in gallery.store.thumbnails(keys).items()}
    shown = [(answer, list(_query_pictures(answer))) for answer in answers]
    write_page(
        path,
        "strip.html",
        shown=shown,
        thumbnails=thumbnails,
        encoder=gallery.manifest.encoder.fingerprint,
        gallery=str(gallery.folder),
    )


def _query_thumbnail(path: Path) -> bytes:
    return encode_thumbnail(read_image(path, min_side=2 * _THUMBNAIL_SIDE).pixels, side=_THUMBNAIL_SIDE)


def _query_pictures(answer: QueryAnswer) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield path, picture and heat map of each picture asked about; an embedding has neither."""
    if not answer.pictures:
        yield answer.query, None, None
    heats = [] if answer.explanation is None else [said.heat for said in answer.explanation.pictures]
    for path, heat in zip_longest(answer.pictures, heats):
        picture = _query_thumbnail(Path(path))
        yield path, data_uri(picture), None if heat is None else data_uri(overlay_jpeg(picture, heat))
