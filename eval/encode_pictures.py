"""Pictures to embeddings: each content once, whatever it is called and however often it is named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import UnreadableImageError
from nearid_search.eval.readouts import ReadoutSet, Vectors
from nearid_search.images import decode_image
from nearid_search.map_ahead import map_ahead
from nearid_search.records import Failure
from nearid_search.similarity import Embeddings, unit_rows
from nearid_search.trainer.augment import GREY
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.variants import read_mask

Progress = Callable[[int, int], None]
"""Called with the number of pictures done and of all."""


class Picture(NamedTuple):
    """An image, grey outside ``mask`` if there is one."""

    image: ImageSource
    mask: ImageSource | None = None


@dataclass(frozen=True)
class EncodedPictures:
    """Embeddings of pictures.

    Attributes:
        rows: of each picture that could be encoded; pictures of equal bytes share one.
        pictures: one picture of each row.
        keys: content of each row: SHA-256 of the bytes in hex, and of the mask's if there is one.
        embeddings: by readout, (R, D) float32 unit rows.
        failures: by picture, why it could not be encoded.
    """

    rows: dict[Picture, int]
    pictures: tuple[Picture, ...]
    keys: tuple[str, ...]
    embeddings: dict[str, Embeddings]
    failures: dict[Picture, Failure]


class _Prepared(NamedTuple):
    picture: Picture
    key: str
    pixels: NDArray[np.uint8] | None
    failure: Failure | None


@dataclass
class _Table:
    """What is known so far; parts are joined at the end."""

    keys: dict[str, int] = field(default_factory=dict)
    rows: dict[Picture, int] = field(default_factory=dict)
    pictures: list[Picture] = field(default_factory=list)
    parts: dict[str, list[Embeddings]] = field(default_factory=dict)
    failures: dict[Picture, Failure] = field(default_factory=dict)

    def add(self, batch: list[_Prepared], readouts: ReadoutSet) -> None:
        """Encode what is new of a batch."""
        fresh: dict[str, _Prepared] = {}
        for item in batch:
            if item.failure is not None:
                self.failures[item.picture] = item.failure
            elif item.key not in self.keys:
                fresh.setdefault(item.key, item)
        if fresh:
            images = np.stack([item.pixels for item in fresh.values() if item.pixels is not None])
            self._add_vectors(list(fresh.values()), readouts.vectors(images))
        for item in batch:
            if item.key in self.keys:
                self.rows[item.picture] = self.keys[item.key]
            elif item.failure is None:
                self.failures[item.picture] = self.failures[fresh[item.key].picture]

    def _add_vectors(self, items: list[_Prepared], vectors: dict[str, Vectors]) -> None:
        usable = np.ones(len(items), bool)
        for name, values in vectors.items():
            norms = np.linalg.norm(values.astype(np.float64), axis=1)
            sound = np.isfinite(norms) & (norms > 0)
            for place in np.flatnonzero(usable & ~sound):
                picture = items[place].picture
                self.failures[picture] = Failure(picture.image.name, f"its {name} embedding has norm {norms[place]}")
            usable &= sound
        for place in np.flatnonzero(usable):
            self.keys[items[place].key] = len(self.pictures)
            self.pictures.append(items[place].picture)
        for name, values in vectors.items():
            self.parts.setdefault(name, []).append(unit_rows(values[usable]))


def encode_pictures(
    pictures: Iterable[Picture],
    readouts: ReadoutSet,
    *,
    batch_size: int = 8,
    threads: int = 0,
    on_progress: Progress | None = None,
) -> EncodedPictures:
    """Encode pictures by every readout, the backbone once over each content.

    Files are read as indexing reads them. A picture that cannot be read, or whose embedding has no direction in one of
    the readouts, is left out of all, so that every readout is judged on the same pictures.

    Args:
        pictures: in any order, repeats allowed.
        readouts: how to encode.
        batch_size: pictures a backbone call; changes memory and speed, never an embedding.
        threads: decoders; 0 means one a processor core.
        on_progress: called after every batch.

    Returns:
        The embeddings, and why pictures are missing.
    """
    wanted = sorted(
        dict.fromkeys(pictures), key=lambda picture: (picture.image.storage_order, picture.mask is not None)
    )
    table = _Table()
    prepared = map_ahead(
        lambda picture: _prepare(picture, readouts.encoder), wanted, threads=threads, ahead=4 * batch_size
    )
    done = 0
    while batch := list(islice(prepared, batch_size)):
        table.add(batch, readouts)
        done += len(batch)
        if on_progress is not None:
            on_progress(done, len(wanted))
    embeddings = {
        name: np.concatenate(table.parts[name]) if name in table.parts else np.zeros((0, 1), np.float32)
        for name in readouts.fingerprints
    }
    return EncodedPictures(table.rows, tuple(table.pictures), tuple(table.keys), embeddings, table.failures)


def _prepare(picture: Picture, encoder: IdentityEncoder) -> _Prepared:
    try:
        data = picture.image.read_bytes()
        key = hashlib.sha256(data).hexdigest()
        pixels = decode_image(data, name=picture.image.name, min_side=encoder.min_side).pixels
        if picture.mask is not None:
            key += hashlib.sha256(picture.mask.read_bytes()).hexdigest()
            inside = read_mask(picture.mask, pixels.shape[0], pixels.shape[1])
            pixels = np.where(inside[:, :, None], pixels, np.uint8(GREY))
    except UnreadableImageError as error:
        return _Prepared(picture, "", None, Failure(error.path, error.reason))
    return _Prepared(picture, key, encoder.prepare(pixels), None)
