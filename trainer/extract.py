"""Run the frozen backbone once over every image that the feature store lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.errors import UnreadableImageError
from nearid_search.images import decode_image
from nearid_search.map_ahead import map_ahead
from nearid_search.records import Failure
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.feature_store import FeatureStore


@dataclass(frozen=True)
class ExtractProgress:
    """How far the backbone is: images read, images to read, images that failed."""

    done: int
    total: int
    failed: int


class _Prepared(NamedTuple):
    key: str
    pixels: NDArray[np.uint8] | None
    failure: Failure | None


def extract_features(
    images: Mapping[str, ImageSource],
    backbone: Backbone,
    store: FeatureStore,
    *,
    batch_size: int = 8,
    threads: int = 0,
    on_progress: Callable[[ExtractProgress], None] | None = None,
) -> list[Failure]:
    """Fill the store; what is in it already is skipped, what was done before a crash is kept.

    Args:
        images: by content key.
        backbone: the one the store was opened for.
        store: where tokens go.
        batch_size: images a backbone call; also what a crash loses at most.
        threads: decoders; 0 means one a processor core.
        on_progress: called after every batch.

    Returns:
        The images that cannot be read.

    Raises:
        FeatureStoreError: if the disk is too small or cannot be written.
    """
    missing = sorted((item for item in images.items() if item[0] not in store), key=lambda item: item[1].storage_order)
    store.require_space(len(missing))

    def prepare(item: tuple[str, ImageSource]) -> _Prepared:
        key, source = item
        try:
            size = backbone.spec.preprocessing.size
            decoded = decode_image(source.read_bytes(), name=source.name, min_side=2 * size)
            return _Prepared(key, backbone.spec.preprocessing.resize(decoded.pixels), None)
        except UnreadableImageError as error:
            return _Prepared(key, None, Failure(source.name, error.reason))

    failures: list[Failure] = []
    done = 0
    prepared = map_ahead(prepare, missing, threads=threads, ahead=4 * batch_size)
    while batch := list(islice(prepared, batch_size)):
        read = [(item.key, item.pixels) for item in batch if item.pixels is not None]
        if read:
            store.append([key for key, _ in read], backbone.tokens(np.stack([pixels for _, pixels in read])))
        failures += [item.failure for item in batch if item.failure is not None]
        done += len(batch)
        if on_progress is not None:
            on_progress(ExtractProgress(done, len(missing), len(failures)))
    return failures
