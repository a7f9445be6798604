"""Turn prepared pictures into rows of the images table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.labels import Label
from nearid_search.indexer.catalogue.pipeline import ReadFile
from nearid_search.indexer.rows import ImageRow


def encode_rows(
    batch: Sequence[ReadFile], named: Sequence[tuple[str, Label]], encoder: ImageEncoder, *, keeps_whole: bool
) -> list[ImageRow]:
    """Encode a batch in one call, or two if the gallery keeps both embeddings of a picture.

    Args:
        batch: prepared pictures; may be empty.
        named: stored path and label of each.
        encoder: the gallery's.
        keeps_whole: whether the embedding of the picture before it was painted over is kept, too.

    Returns:
        One row a picture, in order.
    """
    if not batch:
        return []
    embeddings = encoder.encode_prepared(np.stack([item.prepared for item in batch if item.prepared is not None]))
    wholes: Sequence[NDArray[np.float32] | None] = [None] * len(batch)
    if keeps_whole:
        wholes = list(encoder.encode_prepared(np.stack([item.whole for item in batch if item.whole is not None])))
    return [
        ImageRow(
            item.key or "",
            path,
            label.identity or path,
            embedding,
            item.width,
            item.height,
            item.thumbnail,
            label.metadata,
            label.identity,
            whole,
        )
        for item, (path, label), embedding, whole in zip(batch, named, embeddings, wholes, strict=True)
    ]
