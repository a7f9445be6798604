"""Say why an answer is what it is; see ``attribution`` for what a heat map means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from nearid_search.asking import OncePerGallery
from nearid_search.attribution import PatchGrid, TokenView, squeeze
from nearid_search.encoder import IdentityEncoder
from nearid_search.enrolled import Accept
from nearid_search.errors import ConfigError, WeightsError
from nearid_search.explanation import BackgroundShare, Explanation, PictureEvidence
from nearid_search.image_encoder import Image
from nearid_search.images import read_image
from nearid_search.indexer.kept_whole import whole_embedding
from nearid_search.ranking import mean_of_set, rank_set
from nearid_search.records import Failure, QueryAnswer
from nearid_search.similarity import Rows, pair_scores

if TYPE_CHECKING:
    from nearid_search.engine import SearchEngine
    from nearid_search.saliency import SaliencyNetwork

_THING = 0.5  # of a mask or a saliency map


@dataclass(frozen=True)
class _Seen:
    """A picture of a query as the parts below need it."""

    image: Image
    pixels: NDArray[np.uint8]
    prepared: NDArray[np.uint8]
    embedding: NDArray[np.float32]
    view: TokenView | None
    reason: str


class Explainer:
    """Explains answers of an engine.

    Args:
        engine: with an encoder.
        masks: folder with the user's masks of the queries, ``photo.png`` for ``photo.jpg``, thing white; None for none.

    Raises:
        ConfigError: if the folder does not exist.
        NoEncoderError: if the engine has no encoder.
    """

    def __init__(self, engine: SearchEngine, *, masks: Path | None = None) -> None:
        if masks is not None and not masks.is_dir():
            raise ConfigError(f"{masks} is no folder: --masks takes one with a PNG file for each picture, thing white")
        self._engine, self._masks = engine, masks
        self._encoder = engine.encoder
        self._saliency, self._no_saliency = _open_saliency()

    def explained(self, answer: QueryAnswer, *, allowed: Rows | None = None) -> QueryAnswer:
        """Return an answer about pictures with its explanation; see ``explain``."""
        if not answer.matches:
            return answer
        searched = self._engine.enrolled.not_rejected(answer.pictures, allowed)
        explanation = self.explain(*answer.pictures, identity=answer.matches[0].identity, allowed=searched)
        return replace(answer, explanation=explanation)

    def explain(self, *images: Image, identity: str | None = None, allowed: Rows | None = None) -> Explanation | None:
        """Explain what the gallery says about a picture, or about several pictures of one thing.

        Args:
            *images: paths, or (H, W, 3) uint8 RGB; at least one.
            identity: what leads the answer; by default the identity that scores best.
            allowed: (A,) sorted gallery rows that were searched; None means all.

        Returns:
            The explanation; None if there is no image to compare with.

        Raises:
            ConfigError: if no searched image is of that identity.
            ShapeError: if there is no picture.
            UnreadableImageError: if a picture or its mask cannot be read.
        """
        seen = [self._see(image) for image in images]
        engine, enrolled = self._engine, self._engine.enrolled
        embeddings = np.asarray([each.embedding for each in seen], np.float32).reshape(-1, self._encoder.dim)
        query, length = mean_of_set(embeddings)
        ranked = rank_set(engine.backend, embeddings, enrolled.codes, k=1, allowed=allowed)
        if not ranked:
            return None
        code = ranked[0].code if identity is None else enrolled.code_of(identity)
        rows = np.flatnonzero(enrolled.codes == code) if allowed is None else allowed[enrolled.codes[allowed] == code]
        if not len(rows):
            raise ConfigError(f"no image that was searched is of {identity!r}")
        vectors = engine.rows.vectors_of(rows)
        scores = (pair_scores(query, vectors) * length).astype(np.float32)
        best = int(np.argmax(scores))
        other = next((found for found in ranked if found.code != code), None)
        above = scores > (-np.inf if other is None else other.scores[0])
        return Explanation(
            identity=enrolled.identity_at(int(rows[best])),
            path=enrolled.path_at(int(rows[best])),
            score=float(scores[best]),
            other=None if other is None else enrolled.identity_at(int(other.rows[0])),
            other_path=None if other is None else enrolled.path_at(int(other.rows[0])),
            other_score=None if other is None else float(other.scores[0]),
            views=len(rows),
            views_above=int(above.sum()),
            pictures=tuple(self._evidence(each, int(rows[best]), vectors[best]) for each in seen),
        )

    def _evidence(self, seen: _Seen, row: int, target: NDArray[np.float32]) -> PictureEvidence:
        heat = None if seen.view is None else seen.view.drops(target).astype(float).round(5)
        background, remarks = self._background(seen, target)
        return PictureEvidence(
            query="pixels" if isinstance(seen.image, np.ndarray) else str(seen.image),
            score=float(pair_scores(seen.embedding, target[None])[0]),
            heat=None if heat is None else tuple(map(tuple, heat.tolist())),
            background=background,
            whole_score=self._whole_score(seen, row),
            remarks=(*filter(None, [seen.reason]), *remarks),
        )

    def _see(self, image: Image) -> _Seen:
        encoder = self._encoder
        name = None if isinstance(image, np.ndarray) else Path(image).name
        pixels = image if isinstance(image, np.ndarray) else encoder.read(Path(image)).pixels
        prepared = encoder.prepare(pixels, name)
        embedding = encoder.encode_prepared(prepared[None])[0]
        if not isinstance(encoder, IdentityEncoder) or encoder.head is None:
            return _Seen(
                image, pixels, prepared, embedding, None, "no regions: they take a head, and this encoder shows none"
            )
        tokens = encoder.backbone.tokens(prepared[None])
        grid = PatchGrid.of([scale.shape[1] for scale in tokens])
        if grid is None:
            return _Seen(
                image, pixels, prepared, embedding, None, "no regions: the backbone's tokens are no square grid"
            )
        view = TokenView(encoder.head, tuple(scale[0] for scale in tokens), grid)
        return _Seen(image, pixels, prepared, embedding, view, "")

    def _background(self, seen: _Seen, target: NDArray[np.float32]) -> tuple[BackgroundShare | None, tuple[str, ...]]:
        source, found, remarks = self._thing(seen)
        if found is None:
            return None, remarks
        prepared = seen.prepared
        thing = squeeze(found, len(prepared)) >= _THING
        if thing.all() or not thing.any():
            covered = "all" if thing.all() else "none"
            return None, (*remarks, f"background unknown: by {source} {covered} of the picture is the thing")
        paint = np.rint(255 * np.asarray(self._encoder.preprocessing.mean)).astype(np.uint8)
        halves = np.stack([np.where(shown[..., None], prepared, paint) for shown in (thing, ~thing)])
        alone = pair_scores(target, self._encoder.encode_prepared(halves))
        attention = None
        if seen.view is not None:
            off = squeeze(thing, seen.view.grid.side).ravel() < _THING
            attention = float(seen.view.attention()[off].sum())
        return BackgroundShare(source, float(thing.mean()), attention, float(alone[0]), float(alone[1])), remarks

    def _whole_score(self, seen: _Seen, row: int) -> float | None:
        """Compare the two pictures as they were before painting; of the gallery's the embedding is stored."""
        stored = whole_embedding(self._engine.gallery, self._engine.rows.key(row))
        if stored is None:
            return None
        whole = self._encoder.encode_prepared(self._encoder.preprocessing.resize(seen.pixels)[None])
        return float(pair_scores(whole[0], stored[None])[0])

    def _thing(self, seen: _Seen) -> tuple[str, NDArray[np.floating] | None, tuple[str, ...]]:
        """Say by what and where the thing is, as a map in [0, 1], and what was wrong with something better."""
        image = seen.image
        mask = None if self._masks is None or isinstance(image, np.ndarray) else _user_mask(self._masks, Path(image))
        if mask is not None:
            return "mask", mask, ()
        remarks = () if self._masks is None else (f"no mask of it in {self._masks}",)
        if self._saliency is not None:
            return "saliency", self._saliency(seen.pixels), remarks
        if seen.view is not None:
            return "attention", seen.view.attended().astype(np.float32), (*remarks, self._no_saliency)
        return "nothing", None, (*remarks, self._no_saliency)


def explain_answers(
    engine: SearchEngine,
    answers: Iterable[QueryAnswer | Failure],
    *,
    where: str | Accept | None = None,
    masks: Path | None = None,
) -> Iterator[QueryAnswer | Failure]:
    """Add its explanation to each answer, as it comes; failures go through.

    Args:
        engine: that gave the answers, with an encoder.
        answers: about pictures.
        where: the condition that they were asked under.
        masks: as for ``Explainer``.

    Raises:
        ConfigError: if the folder of masks does not exist.
        FilterError: if ``where`` cannot be evaluated.
        GalleryReplacedError: if a rebuild deletes the gallery between an answer and its explanation.
        NoEncoderError: if the engine has no encoder.
        UnreadableImageError: if a picture has vanished since, or its mask cannot be read.
    """
    explainer = OncePerGallery["SearchEngine", Explainer](lambda asked: Explainer(asked, masks=masks))
    allowed = OncePerGallery["SearchEngine", Rows | None](lambda asked: asked.enrolled.allowed(where))
    for answer in answers:
        asked = engine.in_force  # what gave this answer
        if isinstance(answer, Failure):
            yield answer
        else:
            yield explainer.of(asked).explained(answer, allowed=allowed.of(asked))


def _user_mask(folder: Path, picture: Path) -> NDArray[np.float32] | None:
    file = folder / f"{picture.stem}.png"
    if not file.is_file():
        return None
    grey = PillowImage.fromarray(read_image(file).pixels).convert("L")
    return np.asarray(grey, np.float32) / np.float32(255)


def _open_saliency() -> tuple[SaliencyNetwork | None, str]:
    from nearid_search.saliency import open_backbone_saliency

    try:
        return open_backbone_saliency(), ""
    except (WeightsError, ImportError) as error:
        return None, f"no saliency: {error}"
