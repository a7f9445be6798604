"""Answer pictures: encode a query, then answer its embedding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nearid_search.asking import OncePerGallery
from nearid_search.config import QueryConfig
from nearid_search.embedding_engine import EmbeddingEngine
from nearid_search.enrolled import Accept
from nearid_search.errors import NoEncoderError, NotFoundError, UnreadableImageError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.in_force import open_in_force
from nearid_search.indexer.kept_whole import seen_as
from nearid_search.indexer.manifest import require_encoder
from nearid_search.indexer.search.stored_index import OnWarning
from nearid_search.ranking import rank_identities
from nearid_search.records import ClaimCheck, Failure, QueryAnswer
from nearid_search.similarity import Rows


class SearchEngine(EmbeddingEngine):
    """A gallery in memory and the encoder that made it, ready for queries.

    Args and errors are those of ``EmbeddingEngine``.
    """

    @classmethod
    def open(
        cls,
        gallery: str | Path | None = None,
        *,
        device: str = "auto",
        backend: str = QueryConfig.backend,
        encode: bool = True,
        as_of: str | None = None,
        foreground: str | None = None,
        rerank: str = QueryConfig.rerank,
        rerank_ms: float = QueryConfig.rerank_ms,
        masks: Path | None = None,
        on_warning: OnWarning | None = None,
    ) -> SearchEngine:
        """Open a gallery and the encoder that made it.

        Args:
            gallery: its folder; by default ``NEARID_GALLERY`` or the nearest ``.nearid``.
            device: "auto", "cpu", "cuda" or "cuda:N".
            backend: one of ``indexer.search.backend.BACKENDS``; "auto" is the gallery's search index if it has one.
            encode: False if only embeddings will be asked about, so that no encoder is opened.
            as_of: answer from the gallery as it was at a version, tag or ISO 8601 time.
            foreground: "none" to ask about whole pictures, of a gallery that keeps both; see ``kept_whole.seen_as``.
            rerank: as for ``SearchEngine``.
            rerank_ms: as for ``SearchEngine``.
            masks: folder with the queries' masks, ``photo.png`` for ``photo.jpg``, if the gallery's pictures had some.
            on_warning: as for ``SearchEngine``.

        Raises:
            CorrectionError: if there is nothing to go back to at ``as_of``.
            GalleryError: if the gallery is missing, damaged or of another format.
            NoEncoderError: if ``encode`` and the gallery's embeddings were imported.
            WeightsError: if the encoder's weights are missing.
        """
        settings: dict[str, Any] = {"backend": backend, "rerank": rerank, "rerank_ms": rerank_ms, "device": device}

        def make(opened: Gallery, stamp: tuple[object, ...]) -> SearchEngine:
            seen = seen_as(opened if as_of is None else opened.as_of(as_of), foreground)
            encoder = seen.open_encoder(device=device, masks=masks) if encode else None
            engine = cls(seen, encoder, on_warning=on_warning, **settings)
            engine._foreground, engine._stamp = foreground, stamp
            return engine

        return open_in_force(gallery, make)

    @property
    def encoder(self) -> ImageEncoder:
        """What encodes the queries.

        Raises:
            NoEncoderError: if the engine was opened without one.
        """
        if self.held_encoder is None:
            require_encoder(self.gallery.folder, self.gallery.manifest.encoder)
            raise NoEncoderError("this engine was opened for embeddings only: open it with encode=True for pictures")
        return self.held_encoder

    def query(self, image: str | Path, *, k: int = QueryConfig.k, where: str | Accept | None = None) -> QueryAnswer:
        """Say which identity an image shows; one that people said it does not show is no answer.

        Args:
            image: path of the picture.
            k: identities to list, at least 1.
            where: SQL condition on the gallery's columns, or a function, see ``enrolled.Accept``; only images that it
                accepts are searched.

        Raises:
            ConfigError: if ``k`` is below 1.
            FilterError: if ``where`` cannot be evaluated.
            NoEncoderError: if the engine has no encoder.
            UnreadableImageError: if the picture cannot be read.
        """
        return self.ask(lambda engine: engine._query(image, k, engine.enrolled.allowed(where)))

    def _query(self, image: str | Path, k: int, allowed: Rows | None) -> QueryAnswer:
        embedding = self.encoder.encode([image])
        shown = self.enrolled.not_rejected([image], allowed)
        return self.answer(embedding, label=str(image), k=k, allowed=shown, picture=image)

    def check_claim(self, image: str | Path, identity: str, *, k: int = QueryConfig.k) -> ClaimCheck:
        """Say whether an image shows the identity that it is said to show.

        Args:
            image: path of the picture.
            identity: what it is said to show.
            k: identities to list in the answer, at least 1.

        Raises:
            ConfigError: if ``k`` is below 1.
            NoEncoderError: if the engine has no encoder.
            NotFoundError: if the gallery has no such identity.
            UnreadableImageError: if the picture cannot be read.
        """
        return self.ask(lambda engine: engine._check_claim(image, identity, k))

    def _check_claim(self, image: str | Path, identity: str, k: int) -> ClaimCheck:
        own = self.enrolled.codes == self.enrolled.code_of(identity)
        if not own.any():
            raise NotFoundError(f"there is no identity {identity!r} in {self.gallery.folder}: see gallery list")
        embedding = self.encoder.encode([image])
        shown = self.enrolled.not_rejected([image], None)
        answer = self.answer(embedding, label=str(image), k=k, allowed=shown, picture=image)
        (best,), other = (
            rank_identities(self.backend, embedding, self.enrolled.codes, k=1, allowed=np.flatnonzero(rows))[:1]
            for rows in (own, ~own)
        )
        score = float(best.scores[0])
        return ClaimCheck(identity, score, score - float(other[0].scores[0]) if other else None, answer)

    def explain(
        self, image: str | Path, *, k: int = QueryConfig.k, where: str | Accept | None = None, masks: Path | None = None
    ) -> QueryAnswer:
        """Answer as ``query`` does and say why; see ``explanation.Explanation``.

        ``masks``: folder with the user's masks, ``photo.png`` for ``photo.jpg``, thing white. Raises as ``query`` does,
        and ``ConfigError`` if that folder does not exist.
        """
        from nearid_search.explain import Explainer

        def explained(engine: SearchEngine) -> QueryAnswer:
            allowed = engine.enrolled.allowed(where)
            return Explainer(engine, masks=masks).explained(engine._query(image, k, allowed), allowed=allowed)

        return self.ask(explained)

    def query_many(
        self, images: Iterable[str | Path], *, k: int = QueryConfig.k, where: str | Accept | None = None
    ) -> Iterator[QueryAnswer | Failure]:
        """Answer images one after another; one that cannot be read yields a ``Failure`` and stops nothing.

        Raises:
            ConfigError: if ``k`` is below 1.
            FilterError: if ``where`` cannot be evaluated.
            NoEncoderError: if the engine has no encoder.
        """
        allowed = OncePerGallery[SearchEngine, Rows | None](lambda engine: engine.enrolled.allowed(where))
        self.ask(allowed.of)  # a condition that cannot be evaluated is told before anything is read

        def answered(engine: SearchEngine, image: str | Path) -> QueryAnswer | Failure:
            try:
                return engine._query(image, k, allowed.of(engine))
            except UnreadableImageError as error:
                return Failure(str(image), error.reason)

        for image in images:
            yield self.ask(partial(answered, image=image))

    def query_set(
        self, images: Sequence[str | Path], *, k: int = QueryConfig.k, where: str | Accept | None = None
    ) -> QueryAnswer:
        """Say which identity several pictures of the same thing show; see ``answer_set``.

        Args:
            images: paths of the pictures, at least one. Their paths, joined by " + ", label the answer.
            k: identities to list, at least 1.
            where: SQL condition on the gallery's columns, or a function, see ``enrolled.Accept``; only images that it
                accepts are searched.

        Raises:
            ConfigError: if ``k`` is below 1.
            FilterError: if ``where`` cannot be evaluated.
            NoEncoderError: if the engine has no encoder.
            ShapeError: if there is no picture.
            UnreadableImageError: if one of the pictures cannot be read.
        """
        return self.ask(lambda engine: engine._query_set(images, k, engine.enrolled.allowed(where)))

    def _query_set(self, images: Sequence[str | Path], k: int, allowed: Rows | None) -> QueryAnswer:
        embeddings = self.encoder.encode(images)
        shown = self.enrolled.not_rejected(images, allowed)
        return self.answer_set(embeddings, label=" + ".join(map(str, images)), k=k, allowed=shown, pictures=images)

    def explain_set(
        self,
        images: Sequence[str | Path],
        *,
        k: int = QueryConfig.k,
        where: str | Accept | None = None,
        masks: Path | None = None,
    ) -> QueryAnswer:
        """Answer as ``query_set`` does and say why, picture by picture; ``masks`` as for ``explain``."""
        from nearid_search.explain import Explainer

        def explained(engine: SearchEngine) -> QueryAnswer:
            allowed = engine.enrolled.allowed(where)
            return Explainer(engine, masks=masks).explained(engine._query_set(images, k, allowed), allowed=allowed)

        return self.ask(explained)
