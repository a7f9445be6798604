"""Answer a query: encode it, search, rank identities, judge."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from nearid_search.config import AUTO, QueryConfig
from nearid_search.errors import (
    ConfigError,
    DeviceUnavailableError,
    MissingExtraError,
    NoEncoderError,
    SearchIndexWarning,
    ShapeError,
    UnreadableImageError,
)
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.backend import GPU, VectorBackend
from nearid_search.indexer.embedding_queries import read_queries
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.index_rows import GalleryRows, whole_array
from nearid_search.indexer.location import display_path
from nearid_search.indexer.manifest import require_encoder
from nearid_search.indexer.row_keys import find_keys
from nearid_search.indexer.stored_index import OnWarning, open_backend
from nearid_search.ranking import RankedIdentity, rank_many
from nearid_search.records import Failure, IdentityMatch, MatchedImage, QueryAnswer
from nearid_search.similarity import Embeddings, Rows
from nearid_search.verdict import provisional_verdict

_VIEWS_SHOWN = 4
_QUERIES_AT_ONCE = 1_024  # rows read from a file at once
_ANSWERS_AT_ONCE = 256


class SearchEngine:
    """A gallery in memory and the encoder that made it, ready for queries.

    Args:
        gallery: the gallery; it is read as it is now.
        encoder: what encodes the queries; None if only embeddings will be asked about.
        backend: one of ``indexer.backend.BACKENDS``; "auto" is the gallery's search index if it has one.
        on_warning: told in one line of a search index that is damaged or covers little; by default a Python warning.
        device: "auto", "cpu", "cuda" or "cuda:N": where the backend "faiss-gpu" searches. A gallery that was indexed
            for it is searched without a GPU only if this is "auto", and ``on_warning`` is told.

    Raises:
        ConfigError: if the backend is unknown.
        DeviceUnavailableError: if a GPU is to search and FAISS finds none.
        GalleryMismatchError: if another encoder made the gallery.
        MissingExtraError: if the backend is not installed.
        NoEncoderError: if another encoder made the gallery's embeddings, which were imported.
    """

    def __init__(
        self,
        gallery: Gallery,
        encoder: ImageEncoder | None,
        *,
        backend: str = QueryConfig.backend,
        on_warning: OnWarning | None = None,
        device: str = "auto",
    ) -> None:
        if encoder is not None:
            gallery.check_encoder(encoder)
        self.gallery = gallery
        self._encoder = encoder
        self._rows = gallery.rows()
        self.backend = _open_backend(backend, gallery, self._rows, on_warning or _warn, device)
        self._identities = self._rows.identities()
        self._paths = whole_array(self._rows.labels.column("path"))

    @classmethod
    def open(
        cls,
        gallery: str | Path | None = None,
        *,
        device: str = "auto",
        backend: str = QueryConfig.backend,
        encode: bool = True,
        on_warning: OnWarning | None = None,
    ) -> SearchEngine:
        """Open a gallery and the encoder that made it.

        Args:
            gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
            device: "auto", "cpu", "cuda" or "cuda:N".
            backend: one of ``indexer.backend.BACKENDS``; "auto" is the gallery's search index if it has one.
            encode: False if only embeddings will be asked about, so that no encoder is opened.
            on_warning: told of a search index that is damaged or covers little; by default a Python warning.

        Raises:
            GalleryError: if the gallery is missing, damaged or of another format.
            NoEncoderError: if ``encode`` and the gallery's embeddings were imported.
            WeightsError: if the encoder's weights are missing.
        """
        opened = Gallery.open(gallery)
        encoder = opened.open_encoder(device=device) if encode else None
        return cls(opened, encoder, backend=backend, on_warning=on_warning, device=device)

    @property
    def encoder(self) -> ImageEncoder:
        """What encodes the queries.

        Raises:
            NoEncoderError: if the engine was opened without one.
        """
        if self._encoder is None:
            require_encoder(self.gallery.folder, self.gallery.manifest.encoder)
            raise NoEncoderError("this engine was opened for embeddings only: open it with encode=True for pictures")
        return self._encoder

    def query(self, image: str | Path, *, k: int = QueryConfig.k, where: str | None = None) -> QueryAnswer:
        """Say which identity an image shows.

        Args:
            image: path of the picture.
            k: identities to list, at least 1.
            where: SQL condition on the gallery's columns; only images it accepts are searched.

        Raises:
            ConfigError: if ``k`` is below 1.
            FilterError: if ``where`` cannot be evaluated.
            NoEncoderError: if the engine has no encoder.
            UnreadableImageError: if the picture cannot be read.
        """
        embedding = self.encoder.encode([image])
        return self.answer(embedding, label=str(image), k=k, allowed=self._allowed(where))

    def query_many(
        self, images: Iterable[str | Path], *, k: int = QueryConfig.k, where: str | None = None
    ) -> Iterator[QueryAnswer | Failure]:
        """Answer images one after another; one that cannot be read yields a ``Failure`` and stops nothing.

        Raises:
            ConfigError: if ``k`` is below 1.
            FilterError: if ``where`` cannot be evaluated.
            NoEncoderError: if the engine has no encoder.
        """
        encoder = self.encoder
        allowed = self._allowed(where)
        for image in images:
            try:
                embedding = encoder.encode([image])
            except UnreadableImageError as error:
                yield Failure(str(image), error.reason)
            else:
                yield self.answer(embedding, label=str(image), k=k, allowed=allowed)

    def query_embeddings(
        self, source: str | Path, *, k: int = QueryConfig.k, where: str | None = None
    ) -> Iterator[QueryAnswer | Failure]:
        """Answer every row of a Parquet file, a block at a time; a row that cannot be used yields a ``Failure``.

        Args:
            source: the file: ``embedding``, lists of floats of one width; optional ``path``, which labels the answer. A
                row without one is labelled by its number, counted from 0.
            k: identities to list, at least 1.
            where: SQL condition on the gallery's columns; only images it accepts are searched.

        Yields:
            One answer or failure a row, in order.

        Raises:
            ConfigError: if ``k`` is below 1.
            EmbeddingsError: if the file cannot be read.
            FilterError: if ``where`` cannot be evaluated.
            GalleryMismatchError: if the file's embeddings have another width than the gallery's or name another maker.
        """
        allowed = self._allowed(where)
        for block in read_queries(Path(source), self.gallery, block_rows=_QUERIES_AT_ONCE):
            answers = self.answer_many(block.embeddings, labels=block.labels, k=k, allowed=allowed)
            for label, fault in block.rows:
                yield next(answers) if fault is None else Failure(label, fault)

    def answer(
        self, embedding: Embeddings, *, label: str, k: int = QueryConfig.k, allowed: Rows | None = None
    ) -> QueryAnswer:
        """Answer an embedding.

        Args:
            embedding: (1, D) float32 unit row of this gallery's encoder.
            label: what to call the query in the answer.
            k: identities to list, at least 1.
            allowed: (A,) sorted gallery rows to search among; None means all.

        Raises:
            ConfigError: if ``k`` is below 1.
            ShapeError: if the embedding has another width or is not one row.
        """
        return next(self.answer_many(embedding, labels=[label], k=k, allowed=allowed))

    def answer_many(
        self, embeddings: Embeddings, *, labels: Sequence[str], k: int = QueryConfig.k, allowed: Rows | None = None
    ) -> Iterator[QueryAnswer]:
        """Answer embeddings one after another; they are searched many at a time, which is several times faster.

        Args:
            embeddings: (Q, D) float32 unit rows of this gallery's encoder; Q may be 0.
            labels: what to call each query in its answer.
            k: identities to list, at least 1.
            allowed: (A,) sorted gallery rows to search among; None means all.

        Raises:
            ConfigError: if ``k`` is below 1.
            ShapeError: if the embeddings have another width or another number than the labels.
        """
        if k < 1:
            raise ConfigError(f"k must be at least 1, got {k}")
        if len(labels) != len(embeddings):
            raise ShapeError(f"embeddings and labels must be as many, got {len(embeddings)} and {len(labels)}")
        for start in range(0, len(embeddings), _ANSWERS_AT_ONCE):
            block = slice(start, start + _ANSWERS_AT_ONCE)
            found = rank_many(self.backend, embeddings[block], self._identities.codes, k=k, allowed=allowed)
            for label, ranked in zip(labels[block], found, strict=True):
                yield self._answer(ranked, label, k)

    def _answer(self, ranked: list[RankedIdentity], label: str, k: int) -> QueryAnswer:
        margin = float(ranked[0].scores[0] - ranked[1].scores[0]) if len(ranked) > 1 else None
        matches = tuple(self._match(place, identity) for place, identity in enumerate(ranked[:k], start=1))
        verdict = provisional_verdict(matches[0].score if matches else None, margin)
        return QueryAnswer(
            query=label,
            verdict=verdict,
            identity=matches[0].identity if matches and verdict != "unknown" else None,
            confidence=None,
            margin=margin,
            calibrated=False,
            matches=matches,
        )

    def _match(self, rank: int, identity: RankedIdentity) -> IdentityMatch:
        images = tuple(
            MatchedImage(self._shown_path(int(row)), float(score), self._rows.key(row))
            for row, score in zip(identity.rows[:_VIEWS_SHOWN], identity.scores[:_VIEWS_SHOWN], strict=True)
        )
        return IdentityMatch(rank, self._identities.name(identity.code), images[0].score, len(identity.rows), images)

    def _shown_path(self, row: int) -> str | None:
        path: str | None = self._paths[row].as_py()
        # What an imported path counts from is known to its owner alone.
        imported = self.gallery.manifest.encoder.backbone is None
        return path if path is None or imported else display_path(path, home=self.gallery.home)

    def _allowed(self, where: str | None) -> Rows | None:
        if where is None:
            return None
        found = find_keys(self._rows.keys, self.gallery.store.keys_where(where))
        return np.sort(found[found >= 0])


def _open_backend(
    backend: str, gallery: Gallery, rows: GalleryRows, on_warning: OnWarning, device: str
) -> VectorBackend:
    if backend == AUTO and gallery.manifest.search.backend == GPU:
        try:
            return open_backend(GPU, gallery.index_dir, rows, on_warning=on_warning, device=device)
        except (DeviceUnavailableError, MissingExtraError) as error:
            if device != AUTO:
                raise
            on_warning(f"{error}; every vector is scanned instead")
    return open_backend(backend, gallery.index_dir, rows, on_warning=on_warning, device=device)


def _warn(line: str) -> None:
    warnings.warn(line, SearchIndexWarning, stacklevel=2)
