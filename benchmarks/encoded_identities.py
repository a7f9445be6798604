"""Embeddings of a folder of identities, kept so that a second benchmark need not encode it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import DatasetError
from nearid_search.similarity import Embeddings

POSITIVE = "positive"
_AT_ONCE = 16


class EncodedIdentities(NamedTuple):
    """Every picture of some identities; all (N,) but the embeddings.

    Attributes:
        embeddings: (N, D) float32 unit rows.
        identities: name of the identity of each picture; a distractor has that of the thing it looks like.
        views: name of the view.
        sources: "positive", or which kind of distractor it is.
        fingerprint: of the encoder.
    """

    embeddings: Embeddings
    identities: NDArray[np.str_]
    views: NDArray[np.str_]
    sources: NDArray[np.str_]
    fingerprint: str

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which pictures show the identity itself."""
        found: NDArray[np.bool_] = self.sources == POSITIVE
        return found

    def of(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> EncodedIdentities:
        """Return some of the pictures."""
        return EncodedIdentities(
            self.embeddings[rows], self.identities[rows], self.views[rows], self.sources[rows], self.fingerprint
        )


def encode_identities(
    folder: Path,
    *,
    most: int | None = None,
    distractors: bool = True,
    seed: int = 0,
    cache: Path | None = None,
    device: str = "auto",
    on_picture: Callable[[int, int], None] | None = None,
) -> EncodedIdentities:
    """Encode ``<identity>/<view>/positive.jpg`` and the ``distractor-<source>.jpg`` beside it, with the shipped head.

    Args:
        folder: of one split.
        most: identities to take, chosen by the seed; None for all.
        distractors: encode them, too.
        seed: of that choice.
        cache: ``.npz`` file to keep the embeddings in; what is there already is not encoded again.
        device: "auto", "cpu", "cuda" or "cuda:N".
        on_picture: told how many pictures are done, of how many.

    Raises:
        DatasetError: if the folder holds no such picture.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if most is not None:
        names = sorted(np.random.default_rng(seed).permutation(names)[:most].tolist())
    pattern = "*.jpg" if distractors else f"{POSITIVE}.jpg"
    paths = [path for name in names for path in sorted((folder / name).glob(f"*/{pattern}"))]
    if not paths:
        raise DatasetError(f"{folder} holds no <identity>/<view>/{POSITIVE}.jpg: give the folder of one split")
    encoder = IdentityEncoder.open(device=device)
    labels = [str(path.relative_to(folder)) for path in paths]
    known = _read_cache(cache, encoder.fingerprint)
    missing = [place for place, label in enumerate(labels) if label not in known]
    for start in range(0, len(missing), _AT_ONCE):
        block = missing[start : start + _AT_ONCE]
        found = encoder.encode([paths[place] for place in block])
        known.update(zip((labels[place] for place in block), found, strict=True))
        if on_picture is not None:
            on_picture(start + len(block), len(missing))
    if cache is not None and missing:
        np.savez(cache, labels=list(known), embeddings=np.stack(list(known.values())), fingerprint=encoder.fingerprint)
    parts = np.array([Path(label).with_suffix("").parts for label in labels])
    sources = np.array([stem.removeprefix("distractor-") for stem in parts[:, 2].tolist()])
    embeddings = np.stack([known[label] for label in labels])
    return EncodedIdentities(embeddings, parts[:, 0], parts[:, 1], sources, encoder.fingerprint)


def _read_cache(cache: Path | None, fingerprint: str) -> dict[str, NDArray[np.float32]]:
    if cache is None or not cache.exists():
        return {}
    stored = np.load(cache, allow_pickle=False)
    if str(stored["fingerprint"]) != fingerprint:
        raise DatasetError(f"{cache} holds embeddings of {stored['fingerprint']}, not of {fingerprint}: remove it")
    return dict(zip(stored["labels"].tolist(), stored["embeddings"], strict=True))
