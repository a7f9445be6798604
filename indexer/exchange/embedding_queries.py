"""Queries that come as embeddings: read from a file block by block, labelled, and checked against the gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nearid_search.errors import GalleryMismatchError
from nearid_search.indexer.exchange.embeddings_file import UNNAMED_MAKER, EmbeddingsFile
from nearid_search.indexer.gallery import Gallery
from nearid_search.similarity import Embeddings


class QueryBlock(NamedTuple):
    """Consecutive rows of a file of queries.

    Attributes:
        rows: of each row its label, and what is wrong with it or None.
        labels: of the rows with nothing wrong.
        embeddings: (Q, D) float32 unit rows of these.
    """

    rows: list[tuple[str, str | None]]
    labels: list[str]
    embeddings: Embeddings


def read_queries(source: Path, gallery: Gallery, *, block_rows: int) -> Iterator[QueryBlock]:
    """Read a Parquet file of queries: ``embedding`` and, if it is there, ``path``.

    Args:
        source: the file.
        gallery: what will be asked.
        block_rows: rows at once.

    Yields:
        Every row; its label is its path or, without one, its number in the file, counted from 0.

    Raises:
        EmbeddingsError: if the file cannot be read.
        GalleryMismatchError: if its embeddings do not compare with the gallery's.
    """
    with EmbeddingsFile(source) as file:
        _check_comparable(file, gallery)
        for rows in file.batches(["path"], batch_rows=block_rows):
            paths = rows.columns["path"].to_pylist() if "path" in rows.columns else [None] * len(rows.embeddings)
            labels = [path or str(number) for number, path in enumerate(paths, start=rows.start)]
            faults = [f"its embedding {rows.faults[p]}" if p in rows.faults else None for p in range(len(labels))]
            good = [place for place, fault in enumerate(faults) if fault is None]
            yield QueryBlock(
                list(zip(labels, faults, strict=True)), [labels[place] for place in good], rows.embeddings[good]
            )


def _check_comparable(file: EmbeddingsFile, gallery: Gallery) -> None:
    record = gallery.manifest.encoder
    if file.dim != record.dim:
        raise GalleryMismatchError(
            f"{file.source} row 0: its embedding has {file.dim} values, those of {gallery.folder} have {record.dim}: "
            f"ask with embeddings of the encoder that made the gallery, {record.fingerprint}"
        )
    is_named = not record.fingerprint.startswith(UNNAMED_MAKER)
    if is_named and file.made_by not in (None, record.fingerprint):
        raise GalleryMismatchError(
            f"{file.source} says that its embeddings were made by {file.made_by}, those of {gallery.folder} by "
            f"{record.fingerprint}: embeddings of two encoders do not compare: ask with embeddings of that one"
        )
