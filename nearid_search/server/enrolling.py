"""Put pictures that were sent into the gallery, one after another; one that cannot be keeps no other out."""

from __future__ import annotations

from collections.abc import Sequence

from nearid_search.errors import NearIDError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.pipeline import PreparedPicture
from nearid_search.indexer.corrections.actions import GalleryCorrections
from nearid_search.records import Failure
from nearid_search.server.uploads import Upload

EnrolledUpload = tuple[Upload, dict[str, object] | Failure]
"""A picture, and the correction that brought it in, or why it did not come in."""


def enrol_pictures(
    corrections: GalleryCorrections,
    identity: str,
    *,
    uploads: Sequence[Upload],
    decoded: Sequence[PreparedPicture | Failure],
    encoder: ImageEncoder,
    new: bool,
    by: str,
    because: str | None,
) -> list[EnrolledUpload]:
    """Make pictures views of an identity; see ``GalleryCorrections.enrol``.

    Args:
        corrections: of the gallery.
        identity: what the pictures show.
        uploads: the pictures.
        decoded: each as ``uploads.prepare`` returns it.
        encoder: that they were prepared for.
        new: the first that can be read is the first view of that identity.
        by: who says so.
        because: why.

    Returns:
        What was done with each, in order.

    Raises:
        NearIDError: what kept a picture out, if none came in before it; else that is a failure of that picture.
    """
    done: list[EnrolledUpload] = []
    for upload, found in zip(uploads, decoded, strict=True):
        if isinstance(found, Failure):
            done.append((upload, found))
            continue
        came_in = any(not isinstance(result, Failure) for _, result in done)
        try:
            made = corrections.enrol(
                upload.read(),
                identity,
                name=upload.name,
                new=new and not came_in,
                encoder=encoder,
                decoded=found,
                by=by,
                because=because,
            )
        except NearIDError as error:
            if not came_in:
                raise
            done.append((upload, Failure(upload.name, str(error))))
        else:
            done.append((upload, {"key": made.entry.pins[0].key, **made.as_dict()}))
    return done
