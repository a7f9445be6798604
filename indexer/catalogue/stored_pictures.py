"""Encode pictures again that a gallery knows already: by their stored paths, from whatever catalogue each came."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import CatalogueError, UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.images import read_file
from nearid_search.indexer.catalogue.labels import FolderLabels, Label, Labels, read_labels
from nearid_search.indexer.catalogue.picture_source import Picture
from nearid_search.indexer.catalogue.pipeline import ReadFile, read_ahead
from nearid_search.indexer.catalogue.scan import ScannedFile
from nearid_search.indexer.location import catalogue_prefix, in_catalogue
from nearid_search.packed_pictures import PARQUET_SUFFIX, TAR_SUFFIX
from nearid_search.records import Failure

_BATCH = 8
_AHEAD = 32


class StoredPicture(NamedTuple):
    """A picture that was encoded again: its key and stored path, what reading gave, and its embeddings."""

    key: str
    path: str
    read: ReadFile
    embedding: NDArray[np.float32]
    whole: NDArray[np.float32] | None


class Catalogues:
    """The catalogues that a gallery describes: which holds a picture, and what it calls the thing.

    Args:
        folder: the gallery's folder.
        described: stored path of each catalogue -> absolute path of its identities table, or None.
    """

    def __init__(self, folder: Path, described: Mapping[str, str | None]) -> None:
        self._folder = folder
        self._described = described
        self._labels: dict[str, Labels] = {}

    def of(self, path: str) -> str | None:
        """Return the catalogue that holds a picture; None if none does."""
        return next((stored for stored in self._described if in_catalogue(path, stored, folder=self._folder)), None)

    def label(self, path: str) -> Label | None:
        """Return what its catalogue says of a picture; None if it has none, or its table cannot be read."""
        catalogue = self.of(path)
        if catalogue is None or f"{TAR_SUFFIX}/" in path or f"{PARQUET_SUFFIX}#" in path:
            return None  # what a shard says of its pictures lies in the shard
        try:
            if catalogue not in self._labels:
                table = self._described[catalogue]
                self._labels[catalogue] = FolderLabels() if table is None else read_labels(Path(table))
        except CatalogueError:
            return None
        return self._labels[catalogue].label(path.removeprefix(catalogue_prefix(catalogue)))


def encode_stored(
    pictures: Iterable[tuple[str, str]], encoder: ImageEncoder, *, home: Path, catalogues: Catalogues, keep_whole: bool
) -> Iterator[StoredPicture | Failure]:
    """Encode pictures, a catalogue after the other.

    Args:
        pictures: key and stored path of each.
        encoder: what encodes them.
        home: folder that stored relative paths start from.
        catalogues: which they come from; a mask is looked for by the path in there.
        keep_whole: also encode each before it is painted over.

    Yields:
        A picture, or a ``Failure`` where the file is gone, cannot be read, or holds something else now.
    """
    by_catalogue: dict[str | None, list[tuple[str, str]]] = defaultdict(list)
    for key, path in pictures:
        by_catalogue[catalogues.of(path)].append((key, path))
    for catalogue, found in by_catalogue.items():
        prefix = "" if catalogue is None else catalogue_prefix(catalogue)
        files = [_picture(path, path.removeprefix(prefix), home) for _, path in found]
        source = read_ahead(files, encoder, known=(), ahead=_AHEAD)
        pairs = zip(found, source, strict=True)
        while batch := list(islice(pairs, _BATCH)):
            yield from _encode(batch, encoder, keep_whole=keep_whole)


def _picture(path: str, name: str, home: Path) -> Picture:
    return Picture(ScannedFile(name, 0, 0), partial(_read, path, home))


def _read(path: str, home: Path) -> bytes:
    if "://" in path:
        raise UnreadableImageError(path, "is at an address, which only index fetches, with --allow-fetch")
    return read_file(Path(os.path.join(home, path)))


def _encode(
    batch: Sequence[tuple[tuple[str, str], ReadFile]], encoder: ImageEncoder, *, keep_whole: bool
) -> Iterator[StoredPicture | Failure]:
    whole = [(key, path, read) for (key, path), read in batch if read.prepared is not None and read.key == key]
    for (key, path), read in batch:
        if read.error is not None or read.key != key:
            yield Failure(path, read.error or "holds something else now")
    if not whole:
        return
    embeddings = encoder.encode_prepared(np.stack([read.prepared for *_, read in whole if read.prepared is not None]))
    unpainted: Sequence[NDArray[np.float32] | None] = [None] * len(whole)
    if keep_whole:
        unpainted = list(encoder.encode_prepared(np.stack([r.whole for *_, r in whole if r.whole is not None])))
    for (key, path, read), embedding, other in zip(whole, embeddings, unpainted, strict=True):
        yield StoredPicture(key, path, read, embedding, other)
