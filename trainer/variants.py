"""Which images are cached in several variants, under which keys, and what those variants look like."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nearid_search.images import decode_image
from nearid_search.trainer.augment import AugmentConfig, augment
from nearid_search.trainer.dataset_rows import SampleRows
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.datasets.records import Sample
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.twins import twins_of


class Variants:
    """The variants of the images that are learnt from; any other image has itself alone.

    Args:
        config: how many and how different.
        samples: those to learn from.
        keys: content key of every image of theirs, masks included.
    """

    def __init__(self, config: AugmentConfig, samples: Iterable[Sample], keys: Mapping[ImageSource, str]) -> None:
        self._config = config
        samples = tuple(samples)
        self._twins = {
            keys[image]: twins_of(sample.identity, config.twins)
            for sample in samples
            for view in sample.views
            for image in (view.image, *view.distractors.values())
        }
        views = [view for sample in samples for view in sample.views] if config.variants else []
        # A mask that is never used must not decide a key, nor be read.
        masked = config.foreground > 0
        # A distractor stands where the view's own thing does: masked by chance like it, grey cannot tell them apart.
        self._masks: dict[str, ImageSource | None] = {
            keys[image]: view.mask if masked else None
            for view in views
            for image in (view.image, *view.distractors.values())
        }
        self._digests = {
            key: _digest(config, keys[mask] if mask is not None else "") for key, mask in self._masks.items()
        }

    def keys(self, key: str) -> list[str]:
        """Return the store keys of variants 0, 1, ... of an image, those of its twins after them.

        Variant 0 has the content key itself. The others name the variant and all that decides it beside the picture, so
        that those of other settings or another mask are never taken for them.

        Args:
            key: content key of the image.
        """
        return [*self._own_keys(key), *(f"{key}/{twin.name}" for twin in self._twins.get(key, ()))]

    def _own_keys(self, key: str) -> list[str]:
        if key not in self._digests:
            return [key]
        return [key, *(f"{key}/{number}-{self._digests[key]}" for number in range(1, self._config.variants + 1))]

    def pictures(self, key: str, pixels: NDArray[np.uint8], numbers: Iterable[int]) -> Iterator[NDArray[np.uint8]]:
        """Make variants of a picture.

        Args:
            key: content key of the picture.
            pixels: (H, W, 3) uint8 RGB.
            numbers: variants to make; 0 is the picture itself.

        Yields:
            (H, W, 3) uint8 RGB, one a number.

        Raises:
            UnreadableImageError: if the picture's mask cannot be read.
        """
        source, mask = self._masks.get(key), None
        num_own = len(self._own_keys(key))
        for number in numbers:
            if number >= num_own:
                yield self._twins[key][number - num_own].picture(pixels)
                continue
            if number > 0 and mask is None and source is not None:
                mask = read_mask(source, pixels.shape[0], pixels.shape[1])
            yield augment(pixels, mask, config=self._config, key=key, variant=number)

    def rows(self, store: FeatureStore) -> dict[int, NDArray[np.int64]]:
        """Look up the variants that the store has.

        Args:
            store: filled by ``extract_features``.

        Returns:
            By row of an image: rows of its variants, the image itself first.
        """
        found = {}
        for key in self._digests:
            if key in store:
                rows = store.rows(name for name in self._own_keys(key) if name in store)
                found[int(rows[0])] = rows
        return found

    def with_twins(self, samples: Iterable[SampleRows], store: FeatureStore) -> list[SampleRows]:
        """Put its twins behind each identity.

        Args:
            samples: those to learn from, as rows of the store.
            store: filled by ``extract_features``.

        Returns:
            The samples and their twins, whose names end with that of the change.
        """
        places: dict[str, dict[int, int]] = {}
        for key, twins in self._twins.items():
            for twin in twins:
                if (name := f"{key}/{twin.name}") in store:
                    row, other = store.rows([key, name]).tolist()
                    places.setdefault(twin.name, {})[row] = other
        found = []
        for sample in samples:
            found.append(sample)
            for twin in twins_of(sample.identity, self._config.twins):
                place = places.get(twin.name, {})
                # A picture that two identities share has the twins of one of them.
                if all(row in place for row in sample.rows()):
                    found.append(replace(sample.renumbered(place), identity=f"{sample.identity} {twin.name}"))
        return found


def read_mask(source: ImageSource, height: int, width: int) -> NDArray[np.bool_]:
    """Read where the thing is in a picture.

    Args:
        source: a picture whose lighter half of greys means the thing.
        height: of the result.
        width: of the result.

    Returns:
        (height, width) bool, by the nearest pixel of the mask.

    Raises:
        UnreadableImageError: if it cannot be read.
    """
    decoded = Image.fromarray(decode_image(source.read_bytes(), name=source.name).pixels)
    grey = decoded.convert("L").resize((width, height), Image.Resampling.NEAREST)
    return np.asarray(grey) >= 128


def _digest(config: AugmentConfig, mask_key: str) -> str:
    """Name what decides a variant beside the picture and the variant's number."""
    settings = {name: value for name, value in asdict(config).items() if name not in ("variants", "twins")}
    text = json.dumps([settings, mask_key], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
