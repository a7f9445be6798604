"""Answer pictures: encode a query, then answer its embedding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nearid_search.config import QueryConfig
from nearid_search.embedding_engine import EmbeddingEngine
from nearid_search.enrolled import Accept
from nearid_search.errors import GalleryError, NoEncoderError, NotFoundError, UnreadableImageError, WeightsError
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.gallery_stamp import gallery_stamp
from nearid_search.indexer.kept_whole import seen_as
from nearid_search.indexer.manifest import is_replaced, require_encoder
from nearid_search.indexer.search.stored_index import OnWarning
from nearid_search.ranking import rank_identities
from nearid_search.records import ClaimCheck, Failure, QueryAnswer


class SearchEngine(EmbeddingEngine):
    """A gallery in memory and the encoder that made it, ready for queries.

    Args and errors are those of ``EmbeddingEngine``.
    """

    _foreground: str | None = None

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
        while True:
            opened = Gallery.open(gallery)
            try:
                seen = seen_as(opened if as_of is None else opened.as_of(as_of), foreground)
                encoder = seen.open_encoder(device=device, masks=masks) if encode else None
                engine = cls(seen, encoder, on_warning=on_warning, **settings)
            except (GalleryError, WeightsError, OSError, RuntimeError, ValueError):
                # What LanceDB raises when a rebuild deletes the tables it reads has many types; the head goes, too.
                if not is_replaced(opened.folder, opened.manifest):
                    raise
            else:
                if not is_replaced(opened.folder, opened.manifest):
                    engine._foreground = foreground
                    return engine

    def refreshed(self) -> SearchEngine:
        """Return an engine on the gallery as it is by now: this one, if nobody has written to it.

        A look costs a few file attributes, so whoever asks for long can call this before every query. The encoder stays
        open unless the gallery was made anew by another. A gallery as it was stays as it was.

        Raises:
            GalleryError: if the gallery cannot be opened any more; this engine goes on answering.
            WeightsError: if the weights of another encoder are missing.
        """
        folder, encoder = self.gallery.folder, self.held_encoder
        if self.gallery.is_past or gallery_stamp(folder) == self._stamp:
            return self
        gallery = seen_as(Gallery.open(folder), self._foreground)
        if encoder is not None and encoder.fingerprint != gallery.manifest.encoder.fingerprint:
            encoder = gallery.open_encoder(device=self._settings["device"])
        engine = SearchEngine(gallery, encoder, **self._settings)
        engine._foreground = self._foreground
        return engine

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
        embedding = self.encoder.encode([image])
        allowed = self.enrolled.not_rejected([image], self.enrolled.allowed(where))
        return self.answer(embedding, label=str(image), k=k, allowed=allowed, picture=image)

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

        answer = self.query(image, k=k, where=where)
        return Explainer(self, masks=masks).explained(answer, allowed=self.enrolled.allowed(where))

    def query_many(
        self, images: Iterable[str | Path], *, k: int = QueryConfig.k, where: str | Accept | None = None
    ) -> Iterator[QueryAnswer | Failure]:
        """Answer images one after another; one that cannot be read yields a ``Failure`` and stops nothing.

        Raises:
            ConfigError: if ``k`` is below 1.
            FilterError: if ``where`` cannot be evaluated.
            NoEncoderError: if the engine has no encoder.
        """
        encoder = self.encoder
        allowed = self.enrolled.allowed(where)
        for image in images:
            try:
                embedding = encoder.encode([image])
            except UnreadableImageError as error:
                yield Failure(str(image), error.reason)
            else:
                shown = self.enrolled.not_rejected([image], allowed)
                yield self.answer(embedding, label=str(image), k=k, allowed=shown, picture=image)

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
        embeddings = self.encoder.encode(images)
        allowed = self.enrolled.not_rejected(images, self.enrolled.allowed(where))
        return self.answer_set(embeddings, label=" + ".join(map(str, images)), k=k, allowed=allowed, pictures=images)

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

        answer = self.query_set(images, k=k, where=where)
        return Explainer(self, masks=masks).explained(answer, allowed=self.enrolled.allowed(where))
