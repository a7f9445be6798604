"""The second pass: the pictures of one view."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.opencv_extra import import_cv2
from nearid_search.trainer.distractors.compose import (
    CutOut,
    Placement,
    cut_out,
    fit_placement,
    harmonise,
    hole_of,
    own_placement,
    paste,
)
from nearid_search.trainer.distractors.config import DistractorConfig
from nearid_search.trainer.distractors.inpainting import Inpainter
from nearid_search.trainer.distractors.masks import BoolMask
from nearid_search.trainer.distractors.plan import PlannedView
from nearid_search.trainer.distractors.prepare import PreparedView, read_view
from nearid_search.trainer.distractors.recolour import recolour, repaint_part
from nearid_search.trainer.distractors.rejection import Rejection

Pixels = NDArray[np.uint8]


class LookAlike(NamedTuple):
    """A view of another identity that may take a thing's place.

    Attributes:
        view: which.
        mask: (H, W) bool, where its thing is.
        score: its similarity to the thing to be replaced.
    """

    view: PlannedView
    mask: BoolMask
    score: float


class MadeView(NamedTuple):
    """All files of a view and what is known of them.

    Attributes:
        files: their bytes by name.
        record: JSON-ready: what each picture was made of, and why others were not made.
    """

    files: dict[str, bytes]
    record: dict[str, Any]


class _Scene(NamedTuple):
    """A view taken apart."""

    view: PlannedView
    pixels: Pixels
    mask: BoolMask
    background: Pixels
    own: CutOut
    place: Placement


class _Made(NamedTuple):
    """A distractor, and what it was made of."""

    pixels: Pixels
    details: dict[str, Any]


class Synthesiser:
    """Makes the pictures of views.

    Args:
        catalogue: folder of the pictures.
        config: seed, size, quality and look-alikes.
        inpainter: what removes things.

    Raises:
        MissingExtraError: if OpenCV is not installed.
    """

    def __init__(self, catalogue: Path, config: DistractorConfig, inpainter: Inpainter) -> None:
        self._catalogue = catalogue
        self._config = config
        self._inpainter = inpainter
        self._cv2 = import_cv2()

    def make(self, prepared: PreparedView, lookalikes: Sequence[LookAlike]) -> MadeView:
        """Make one view; the same arguments give the same bytes, whatever was made before.

        Args:
            prepared: the view. Without a mask it gets its picture alone.
            lookalikes: what may take the thing's place, best first.

        Returns:
            Its files.

        Raises:
            UnreadableImageError: if a picture has gone since it was prepared.
        """
        pixels = self._read(prepared.view)
        record: dict[str, Any] = {"path": prepared.view.file.path, "mask": prepared.origin or None}
        if prepared.mask is None:
            record["rejected"] = {"mask": prepared.reason}
            return MadeView({"positive.jpg": self._jpeg(pixels)}, record)
        scene = self._scene(prepared.view, pixels, prepared.mask)
        positive, mask = pixels, prepared.mask
        if self._config.paste_positive:
            positive, mask = paste(self._cv2, scene.background, scene.own, scene.place)
        files = {"positive.jpg": self._jpeg(positive), "mask.png": _png(mask)}
        record["rejected"] = {}
        for source, made in {"swap": self._swap(scene, lookalikes), **self._recolours(scene)}.items():
            if isinstance(made, Rejection):
                record["rejected"][source] = made.reason
            else:
                files[f"distractor-{source}.jpg"] = self._jpeg(made.pixels)
                record[source] = made.details
        return MadeView(files, record)

    def _scene(self, view: PlannedView, pixels: Pixels, mask: BoolMask) -> _Scene:
        background = self._inpainter(pixels, hole_of(self._cv2, mask), seed=self._seed(view, "background"))
        place = own_placement(mask, self._rng(view, "place") if self._config.paste_positive else None)
        return _Scene(view, pixels, mask, background, cut_out(self._cv2, pixels, mask), place)

    def _swap(self, scene: _Scene, lookalikes: Sequence[LookAlike]) -> _Made | Rejection:
        refusal = Rejection("no other identity with a mask in its split")
        # The nearest is twice as likely to be taken as the next, so that distractors are hard and still differ.
        odds = 0.5 ** np.arange(len(lookalikes))
        order = self._rng(scene.view, "swap").choice(len(odds), len(odds), replace=False, p=odds / odds.sum())
        for donor in [lookalikes[number] for number in order]:
            place = fit_placement(donor.mask, scene.mask)
            if isinstance(place, Rejection):
                refusal = place
                continue
            own = cut_out(self._cv2, self._read(donor.view), donor.mask)
            thing = harmonise(self._cv2, own, scene.own.light)
            details = {"identity": donor.view.identity, "path": donor.view.file.path, "score": round(donor.score, 4)}
            return _Made(paste(self._cv2, scene.background, thing, place)[0], details)
        return refusal

    def _recolours(self, scene: _Scene) -> dict[str, _Made | Rejection]:
        made: dict[str, _Made | Rejection] = {}
        for source, change in (("recolour", recolour), ("part", repaint_part)):
            changed = change(self._cv2, scene.pixels, scene.mask, self._rng(scene.view, source))
            if isinstance(changed, Rejection):
                made[source] = changed
                continue
            thing = cut_out(self._cv2, changed.pixels, scene.mask)
            details = {"visible_share": round(changed.share, 4), "mean_difference": round(changed.difference, 2)}
            made[source] = _Made(paste(self._cv2, scene.background, thing, scene.place)[0], details)
        return made

    def _read(self, view: PlannedView) -> Pixels:
        return read_view(self._catalogue / view.file.path, self._config.size)[0]

    def _jpeg(self, pixels: Pixels) -> bytes:
        # One encoder and one quality for all pictures of a view: else compression would tell them apart.
        buffer = BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=self._config.quality, subsampling=0)
        return buffer.getvalue()

    def _seed(self, view: PlannedView, purpose: str) -> int:
        text = f"{self._config.seed}/{view.identity}/{view.number}/{purpose}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])

    def _rng(self, view: PlannedView, purpose: str) -> np.random.Generator:
        return np.random.default_rng(self._seed(view, purpose))


def _png(mask: BoolMask) -> bytes:
    buffer = BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG")
    return buffer.getvalue()
