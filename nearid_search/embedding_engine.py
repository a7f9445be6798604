"""Answer embeddings: search, rank identities, look again where that is on, judge."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from nearid_search.asking import OncePerGallery, Overtaken
from nearid_search.config import QueryConfig
from nearid_search.enrolled import Accept, EnrolledImages
from nearid_search.errors import CalibrationWarning, ConfigError, GalleryMismatchError, SearchIndexWarning, ShapeError
from nearid_search.image_encoder import Image, ImageEncoder
from nearid_search.indexer.calibration_file import find_calibration
from nearid_search.indexer.exchange.embedding_queries import QueryBlock, read_queries
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.gallery_stamp import gallery_stamp
from nearid_search.indexer.in_force import open_in_force
from nearid_search.indexer.kept_whole import seen_as
from nearid_search.indexer.search.gallery_backend import open_gallery_backend
from nearid_search.indexer.search.stored_index import OnWarning
from nearid_search.ranking import RankedIdentity, mean_of_set, rank_many, rank_set
from nearid_search.records import Failure, QueryAnswer
from nearid_search.rerank.second_look import SecondLook
from nearid_search.similarity import Embeddings, Rows
from nearid_search.verdict import Judge

_QUERIES_AT_ONCE = 1_024  # rows read from a file at once
_ANSWERS_AT_ONCE = 256


_warn_of_index = partial(warnings.warn, category=SearchIndexWarning, stacklevel=3)
_warn_of_calibration = partial(warnings.warn, category=CalibrationWarning, stacklevel=3)


class EmbeddingEngine(Overtaken):
    """A gallery in memory, ready for queries that are embedded already.

    Args:
        gallery: the gallery; it is read as it is now.
        encoder: what made the gallery, for re-ranking that looks at pictures; None if only embeddings will be asked
            about.
        backend: one of ``indexer.search.backend.BACKENDS``; "auto" is the gallery's search index if it has one.
        rerank: which rung of re-ranking queries go through: one of ``rerank.ladder.RUNGS``, "none", or "auto"
            for what ``gallery tune --rerank`` has switched on.
        rerank_ms: milliseconds that re-ranking one query may take, above 0.
        on_warning: told in one line of a search index that is damaged or covers little, of a calibration that no longer
            holds, and of re-ranking that cannot be done; by default a Python warning.
        device: "auto", "cpu", "cuda" or "cuda:N": where the backend "faiss-gpu" searches. A gallery that was indexed
            for it is searched without a GPU only if this is "auto", and ``on_warning`` is told.

    Attributes:
        held_encoder: the encoder, or None, as it was given.

    Raises:
        ConfigError: if the backend or the rung is unknown.
        DeviceUnavailableError: if a GPU is to search and FAISS finds none.
        GalleryMismatchError: if another encoder made the gallery.
        MissingExtraError: if the backend is not installed.
        NoEncoderError: if another encoder made the gallery's embeddings, which were imported.
    """

    _foreground: str | None = None  # as which it was opened, see ``kept_whole.seen_as``

    def __init__(
        self,
        gallery: Gallery,
        encoder: ImageEncoder | None,
        *,
        backend: str = QueryConfig.backend,
        rerank: str = QueryConfig.rerank,
        rerank_ms: float = QueryConfig.rerank_ms,
        on_warning: OnWarning | None = None,
        device: str = "auto",
    ) -> None:
        if encoder is not None:
            gallery.check_encoder(encoder)
        self.gallery = gallery
        self.held_encoder = encoder
        self._settings: dict[str, Any] = {
            "backend": backend,
            "rerank": rerank,
            "rerank_ms": rerank_ms,
            "on_warning": on_warning,
            "device": device,
        }
        self._stamp = gallery_stamp(gallery.folder)  # before anything is read: what is written meanwhile is seen later
        self.rows = gallery.rows()
        self.backend = open_gallery_backend(
            gallery, self.rows, backend, on_warning=on_warning or _warn_of_index, device=device
        )
        self.enrolled = EnrolledImages(gallery, self.rows)
        self._on_warning = on_warning
        self.second_look = SecondLook(self.backend, self.rows, self.enrolled.codes, encoder, self.enrolled.file_at)
        self.second_look.use(rerank, gallery, budget_ms=rerank_ms, on_warning=on_warning or _warn_of_index)

    def refreshed(self) -> Self:
        """Return an engine on the gallery as it is by now: this one, if nobody has written to it.

        A look costs a few file attributes, so whoever asks for long can call this before every query. The encoder stays
        open unless the gallery was made anew by another. A gallery as it was stays as it was.

        Raises:
            GalleryError: if the gallery cannot be opened any more; this engine goes on answering.
            WeightsError: if the weights of another encoder are missing.
        """
        engine = self.in_force
        unchanged = engine.gallery.is_past or gallery_stamp(engine.gallery.folder) == engine._stamp
        return engine if unchanged else engine.opened_again()

    def opened_again(self) -> Self:
        """Return an engine on the gallery as it is by now; see ``refreshed``."""
        return open_in_force(self.gallery.folder, self._of)

    def _of(self, opened: Gallery, stamp: tuple[object, ...]) -> Self:
        gallery, encoder = seen_as(opened, self._foreground), self.held_encoder
        if encoder is not None and encoder.fingerprint != gallery.manifest.encoder.fingerprint:
            encoder = gallery.open_encoder(device=self._settings["device"])
        engine = type(self)(gallery, encoder, **self._settings)
        engine._foreground, engine._stamp = self._foreground, stamp
        return engine

    def query_embeddings(
        self, source: str | Path, *, k: int = QueryConfig.k, where: str | Accept | None = None
    ) -> Iterator[QueryAnswer | Failure]:
        """Answer every row of a Parquet file, a block at a time; a row that cannot be used yields a ``Failure``.

        Args:
            source: the file: ``embedding``, lists of floats of one width; optional ``path``, which labels the answer. A
                row without one is labelled by its number, counted from 0.
            k: identities to list, at least 1.
            where: SQL condition on the gallery's columns, or a function, see ``enrolled.Accept``; only images that it
                accepts are searched.

        Yields:
            One answer or failure a row, in order.

        Raises:
            ConfigError: if ``k`` is below 1.
            EmbeddingsError: if the file cannot be read.
            FilterError: if ``where`` cannot be evaluated.
            GalleryMismatchError: if the file's embeddings have another width than the gallery's or name another maker.
        """
        allowed = OncePerGallery[EmbeddingEngine, Rows | None](lambda engine: engine.enrolled.allowed(where))
        self.ask(allowed.of)  # a condition that cannot be evaluated is told before anything is read
        made_by = self.in_force.gallery.manifest.encoder.fingerprint

        def answered(engine: EmbeddingEngine, block: QueryBlock) -> list[QueryAnswer]:
            found = engine.gallery.manifest.encoder.fingerprint
            if found != made_by:
                raise GalleryMismatchError(
                    f"{engine.gallery.folder} was made anew by another encoder: ask again, with embeddings of {found}"
                )
            return list(engine.answer_many(block.embeddings, labels=block.labels, k=k, allowed=allowed.of(engine)))

        for block in read_queries(Path(source), self.in_force.gallery, block_rows=_QUERIES_AT_ONCE):
            answers = iter(self.ask(partial(answered, block=block)))
            for label, fault in block.rows:
                yield next(answers) if fault is None else Failure(label, fault)

    def answer(
        self,
        embedding: Embeddings,
        *,
        label: str,
        k: int = QueryConfig.k,
        allowed: Rows | None = None,
        picture: Image | None = None,
    ) -> QueryAnswer:
        """Answer an embedding.

        Args:
            embedding: (1, D) float32 unit row of this gallery's encoder.
            label: what to call the query in the answer.
            k: identities to list, at least 1.
            allowed: (A,) sorted gallery rows to search among; None means all.
            picture: what was embedded, for re-ranking that looks at pictures.

        Raises:
            ConfigError: if ``k`` is below 1.
            ShapeError: if the embedding has another width or is not one row.
        """
        pictures = [picture] * len(embedding)
        return next(self.answer_many(embedding, labels=[label], k=k, allowed=allowed, pictures=pictures))

    def answer_many(
        self,
        embeddings: Embeddings,
        *,
        labels: Sequence[str],
        k: int = QueryConfig.k,
        allowed: Rows | None = None,
        pictures: Sequence[Image | None] | None = None,
    ) -> Iterator[QueryAnswer]:
        """Answer embeddings one after another; they are searched many at a time, which is several times faster.

        Args:
            embeddings: (Q, D) float32 unit rows of this gallery's encoder; Q may be 0.
            labels: what to call each query in its answer.
            k: identities to list, at least 1.
            allowed: (A,) sorted gallery rows to search among; None means all.
            pictures: what was embedded, for re-ranking that looks at pictures; as many as the embeddings.

        Raises:
            ConfigError: if ``k`` is below 1.
            ShapeError: if the embeddings have another width or another number than the labels.
        """
        _check_k(k)
        if len(labels) != len(embeddings):
            raise ShapeError(f"embeddings and labels must be as many, got {len(embeddings)} and {len(labels)}")
        for start in range(0, len(embeddings), _ANSWERS_AT_ONCE):
            block = slice(start, start + _ANSWERS_AT_ONCE)
            wanted = self.second_look.wanted(k)
            found = rank_many(self.backend, embeddings[block], self.enrolled.codes, k=wanted, allowed=allowed)
            shown = None if pictures is None else pictures[block]
            found, looked = self.second_look.look(embeddings[block], found, shown, allowed)
            answers = self._answers(found, labels[block], k, allowed)
            shown = [None] * len(found) if shown is None else shown
            for answer, reranking, picture in zip(answers, looked, shown, strict=True):
                yield replace(answer, rerank=reranking, pictures=_paths(picture))

    def answer_set(
        self,
        embeddings: Embeddings,
        *,
        label: str,
        k: int = QueryConfig.k,
        allowed: Rows | None = None,
        pictures: Sequence[Image] = (),
    ) -> QueryAnswer:
        """Answer several embeddings of the same thing as one: an image scores as the mean of its scores with each.

        Re-ranking that looks at embeddings asks with their mean; what looks at pictures compares each, and the mean of
        that counts.

        Args:
            embeddings: (Q, D) float32 unit rows, at least one.
            label: what to call the set in the answer.
            k: identities to list, at least 1.
            allowed: (A,) sorted gallery rows to search among; None means all.
            pictures: what was embedded, for re-ranking that looks at pictures.

        Raises:
            ConfigError: if ``k`` is below 1.
            ShapeError: if the embeddings have another width, are none, or are opposites of each other.
        """
        _check_k(k)
        wanted = self.second_look.wanted(k)
        ranked = rank_set(self.backend, embeddings, self.enrolled.codes, k=wanted, allowed=allowed)
        query, length = mean_of_set(embeddings)
        ranked, looked = self.second_look.look_once(query, ranked, pictures, allowed, length=length)
        return replace(next(self._answers([ranked], [label], k, allowed)), rerank=looked, pictures=_paths(*pictures))

    def _answers(
        self, found: list[list[RankedIdentity]], labels: Sequence[str], k: int, allowed: Rows | None
    ) -> Iterator[QueryAnswer]:
        views = self.enrolled.views_among(allowed)
        best = [int(views[ranked[0].code]) if ranked else 0 for ranked in found]
        judged = self.judge.judge(found, best)
        for label, ranked, judgement in zip(labels, found, judged, strict=True):
            yield self.enrolled.answer(ranked, label=label, k=k, judgement=judgement, calibrated=self.judge.calibrated)

    @cached_property
    def judge(self) -> Judge:
        """How its answers are judged: by the gallery's calibration, if it has one.

        One that is damaged, of another encoder or outgrown is told of once, when the first answer is judged.
        """
        found, reason = find_calibration(self.gallery.folder, self.rows, self.enrolled.identities)
        if reason:
            (self._on_warning or _warn_of_calibration)(reason)
        return Judge(None if found is None else found.model, current=not reason)


def _paths(*pictures: Image | None) -> tuple[str, ...]:
    return tuple(str(picture) for picture in pictures if isinstance(picture, str | Path))


def _check_k(k: int) -> None:
    if k < 1:
        raise ConfigError(f"k must be at least 1, got {k}")
