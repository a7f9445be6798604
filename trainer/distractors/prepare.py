"""The first pass: every picture is read once, its thing is found, and what it looks like without background is noted.

What a view gives is kept in a file of its own, so a run that was stopped goes on with the next view.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.durable_file import write_file
from nearid_search.errors import UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.images import decode_image, read_file
from nearid_search.similarity import Embeddings
from nearid_search.trainer.distractors.lookalikes import crop_on_grey
from nearid_search.trainer.distractors.masks import BoolMask, MaskFinder
from nearid_search.trainer.distractors.plan import DistractorPlan, PlannedView
from nearid_search.trainer.distractors.rejection import Rejection


class PreparedView(NamedTuple):
    """What the first pass learns of a view.

    Attributes:
        view: which.
        sha256: of the picture's file, in hex; empty if it cannot be read.
        mask: (H, W) bool at the size the picture is written; None if there is none.
        origin: of the mask; empty without one.
        embedding: (D,) float32 of the thing on grey; empty without a mask.
        reason: why there is no mask, or no picture.
    """

    view: PlannedView
    sha256: str
    mask: BoolMask | None
    origin: str
    embedding: NDArray[np.float32]
    reason: str


def read_view(path: Path, size: int) -> tuple[NDArray[np.uint8], str]:
    """Read a picture as the dataset shows it.

    Args:
        path: the file.
        size: longer side in pixels that larger pictures are reduced to.

    Returns:
        (H, W, 3) uint8 RGB, and the SHA-256 of the file's bytes.

    Raises:
        UnreadableImageError: if it cannot be read.
    """
    data = read_file(path)
    image = Image.fromarray(decode_image(data, name=str(path), min_side=size).pixels)
    longer = max(image.size)
    if longer > size:
        width, height = (max(1, round(side * size / longer)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.array(image), hashlib.sha256(data).hexdigest()


def prepare_views(
    plan: DistractorPlan, folder: Path, *, size: int, finder: MaskFinder, encoder: ImageEncoder
) -> Iterator[PreparedView]:
    """Prepare every view of a plan, in its order.

    Args:
        plan: the views.
        folder: where results are kept; must exist.
        size: as in ``read_view``.
        finder: of masks.
        encoder: of what tells look-alikes.

    Yields:
        One result a view. A second copy of a picture is named as such: it would be another identity's view, or another
        split's, of the same picture.

    Raises:
        OSError: if a result cannot be written.
    """
    seen: set[str] = set()
    for number, view in enumerate(plan.views):
        kept = folder / f"{number}.npz"
        prepared = _read_kept(kept, view)
        if prepared is None:
            prepared = _prepare(plan.catalogue, view, size, finder, encoder)
            _keep(kept, prepared)
        if prepared.sha256 and prepared.sha256 in seen:
            prepared = PreparedView(view, "", None, "", prepared.embedding[:0], "same picture as another one")
        seen.add(prepared.sha256)
        yield prepared


def stack_embeddings(prepared: list[PreparedView]) -> Embeddings:
    """Return the (N, D) embeddings of views that have one."""
    return np.stack([view.embedding for view in prepared]) if prepared else np.empty((0, 1), np.float32)


def _prepare(catalogue: Path, view: PlannedView, size: int, finder: MaskFinder, encoder: ImageEncoder) -> PreparedView:
    nothing = np.empty(0, np.float32)
    try:
        pixels, sha256 = read_view(catalogue / view.file.path, size)
        found = finder.find(view.file.path, pixels)
    except UnreadableImageError as error:
        return PreparedView(view, "", None, "", nothing, error.reason)
    if isinstance(found, Rejection):
        return PreparedView(view, sha256, None, "", nothing, found.reason)
    embedding = encoder.encode([crop_on_grey(pixels, found.pixels)])[0]
    return PreparedView(view, sha256, found.pixels, found.origin, embedding, "")


def _keep(path: Path, prepared: PreparedView) -> None:
    mask = np.zeros((0, 0), np.bool_) if prepared.mask is None else prepared.mask
    words = np.array([prepared.sha256, prepared.origin, prepared.reason])
    buffer = BytesIO()
    np.savez_compressed(buffer, mask=np.packbits(mask), shape=mask.shape, words=words, embedding=prepared.embedding)
    write_file(path, buffer.getvalue())


def _read_kept(path: Path, view: PlannedView) -> PreparedView | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as kept:
        sha256, origin, reason = (str(word) for word in kept["words"])
        height, width = (int(side) for side in kept["shape"])
        mask = np.unpackbits(kept["mask"], count=height * width).reshape(height, width).astype(np.bool_)
        return PreparedView(view, sha256, mask if mask.size else None, origin, kept["embedding"], reason)
