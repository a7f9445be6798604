"""Run the frozen backbone once over every image that the feature store lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.preprocessing import Preprocessing
from nearid_search.errors import FeatureStoreError, UnreadableImageError
from nearid_search.images import decode_image
from nearid_search.map_ahead import map_ahead
from nearid_search.records import Failure
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.token_codec import TokenCodec
from nearid_search.trainer.token_projection import TokenProjection, fit_token_pca, fit_token_scaling
from nearid_search.trainer.variants import Variants


@dataclass(frozen=True)
class ExtractProgress:
    """How far the backbone is: images done and to do, each variant counted, and those that cannot be read."""

    done: int
    total: int
    failed: int


_PROJECTION_IMAGES = 64


class _Missing(NamedTuple):
    key: str
    source: ImageSource
    names: dict[int, str]


class _Prepared(NamedTuple):
    name: str
    pixels: NDArray[np.uint8] | None
    failure: Failure | None


def extract_features(
    images: Mapping[str, ImageSource],
    backbone: Backbone,
    store: FeatureStore,
    *,
    variants: Variants | None = None,
    batch_size: int = 8,
    threads: int = 0,
    on_progress: Callable[[ExtractProgress], None] | None = None,
) -> list[Failure]:
    """Fill the store; what is in it already is skipped, what was done before a crash is kept.

    Args:
        images: by content key.
        backbone: the one the store was opened for.
        store: where tokens go.
        variants: which images are wanted in several; none by default.
        batch_size: images a backbone call, each variant counted; also what a crash loses at most.
        threads: decoders; 0 means one a processor core.
        on_progress: called after every batch.

    Returns:
        The images that cannot be read, and masks that are needed and cannot: of theirs, nothing more is cached.

    Raises:
        FeatureStoreError: if the disk is too small or cannot be written.
    """
    missing = _missing(images, store, variants)
    total = sum(len(item.names) for item in missing)
    store.require_space(total)
    failures: list[Failure] = []
    done = 0
    prepared = map_ahead(
        lambda item: _prepare(item, backbone.spec.preprocessing, variants),
        missing,
        threads=threads,
        ahead=4 * batch_size,
    )
    pictures = chain.from_iterable(prepared)
    while batch := list(islice(pictures, batch_size)):
        read = [(item.name, item.pixels) for item in batch if item.pixels is not None]
        if read:
            store.append([name for name, _ in read], backbone.tokens(np.stack([pixels for _, pixels in read])))
        failures += [item.failure for item in batch if item.failure is not None]
        done += len(batch)
        if on_progress is not None:
            on_progress(ExtractProgress(done, total, len(failures)))
    return list(dict.fromkeys(failures))  # a mask that a view shares with its distractors is told once


def learn_projections(
    images: Mapping[str, ImageSource], backbone: Backbone, codec: TokenCodec
) -> list[TokenProjection]:
    """Fit the projections of a feature store on some of its images: those whose keys come first, which is by chance.

    Args:
        images: by content key.
        backbone: gives the tokens.
        codec: says which projection: ``pca_dim`` components, or columns of one size.

    Returns:
        One projection a token scale.

    Raises:
        ConfigError: if a scale's tokens are narrower than that.
        FeatureStoreError: if none of the images can be read.
    """
    tokens = []
    for key in sorted(images)[:_PROJECTION_IMAGES]:
        (prepared,) = _prepare(_Missing(key, images[key], {0: key}), backbone.spec.preprocessing, None)
        if prepared.pixels is not None:
            tokens.append(backbone.tokens(prepared.pixels[None]))
    if not tokens:
        raise FeatureStoreError("no image can be read, so there is nothing to learn the projection of tokens from")
    joined = [np.concatenate([scale[0] for scale in scales]) for scales in zip(*tokens, strict=True)]
    if codec.pca_dim is None:
        return [fit_token_scaling(scale) for scale in joined]
    return [fit_token_pca(scale, dim=codec.pca_dim) for scale in joined]


def _missing(images: Mapping[str, ImageSource], store: FeatureStore, variants: Variants | None) -> list[_Missing]:
    """List the images of which the store lacks something, in the order in which they are cheapest to read."""
    found = []
    for key, source in sorted(images.items(), key=lambda item: item[1].storage_order):
        names = variants.keys(key) if variants is not None else [key]
        lacking = {number: name for number, name in enumerate(names) if name not in store}
        if lacking:
            found.append(_Missing(key, source, lacking))
    return found


def _prepare(item: _Missing, preprocessing: Preprocessing, variants: Variants | None) -> list[_Prepared]:
    """Decode an image once and make all that is missing of it; a failure is told once."""
    try:
        pixels = decode_image(item.source.read_bytes(), name=item.source.name, min_side=2 * preprocessing.size).pixels
        pictures = [pixels] if variants is None else variants.pictures(item.key, pixels, item.names)
        return [
            _Prepared(name, preprocessing.resize(picture), None)
            for name, picture in zip(item.names.values(), pictures, strict=True)
        ]
    except UnreadableImageError as error:
        failures = [Failure(error.path, error.reason), *[None] * (len(item.names) - 1)]
        return [_Prepared(name, None, failure) for name, failure in zip(item.names.values(), failures, strict=True)]
