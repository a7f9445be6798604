"""Train an identity head, from a dataset on disk to a head on disk."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nearid_search import __version__
from nearid_search.backbones.base import Backbone
from nearid_search.backbones.registry import open_backbone
from nearid_search.errors import TrainingError
from nearid_search.head_file import HeadManifest, load_head, save_head
from nearid_search.head_spec import HeadSpec
from nearid_search.records import Failure
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.dataset_rows import rows_of
from nearid_search.trainer.datasets import (
    Dataset,
    check_dataset,
    data_hash,
    hash_images,
    open_dataset,
    require_pairs,
)
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.datasets.records import SPLITS
from nearid_search.trainer.extract import ExtractProgress, extract_features, learn_projections
from nearid_search.trainer.feature_store import FeatureStore
from nearid_search.trainer.token_projection import fold_into_head
from nearid_search.trainer.validation import ValidationScores
from nearid_search.trainer.variants import Variants

if TYPE_CHECKING:
    from nearid_search.head import MapHead
    from nearid_search.trainer.fit import FitResult, StepReport


def _ignore(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Listener:
    """Who is told how a run goes on.

    Attributes:
        on_note: a line for a person: sizes before the work, warnings, alarms.
        on_hash: after every image that is looked at for leaks: how many so far, and how many there are.
        on_extract: after every batch of the backbone.
        on_step: after every step of the optimiser.
    """

    on_note: Callable[[str], None] = _ignore
    on_hash: Callable[[int, int], None] = _ignore
    on_extract: Callable[[ExtractProgress], None] = _ignore
    on_step: Callable[[StepReport], None] = _ignore


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What a run did.

    Attributes:
        out: folder of the head.
        head: fingerprint of the head.
        backbone: fingerprint of the backbone.
        split_sizes: identities in each split.
        images: images whose features are cached, their variants not counted.
        steps: optimiser steps.
        best_step: the step whose head was kept.
        scores: its validation scores.
        frozen: those of the frozen features, each scale's tokens averaged.
        seconds: wall-clock time of this run.
        warnings: about the dataset, and what collapsed on the way.
        failures: images that could not be read.
    """

    out: str
    head: str
    backbone: str
    split_sizes: dict[str, int]
    images: int
    steps: int
    best_step: int
    scores: ValidationScores
    frozen: ValidationScores
    seconds: float
    warnings: tuple[str, ...]
    failures: tuple[Failure, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Return the report with the stable keys of ``train --json``."""
        return {
            **asdict(self),
            "scores": self.scores.as_dict(),
            "frozen": self.frozen.as_dict(),
            "seconds": round(self.seconds, 3),
        }


def train(config: TrainConfig, *, listener: Listener | None = None) -> TrainReport:
    """Train a head; a run that was stopped goes on where its last checkpoint is.

    Args:
        config: the recipe, with the places of dataset and result.
        listener: who is told how it goes on.

    Returns:
        What was done. The head is in ``config.out``.

    Raises:
        DatasetError: if the dataset cannot be read or must not be trained on.
        FeatureStoreError: if the features cannot be kept, or are another backbone's.
        TrainingError: if the loss is no number, or there is too little to learn from.
        UnreadableImageError: if the bytes of an image of the dataset cannot be read.
        BackboneError, ConfigError, DeviceUnavailableError, MissingExtraError, WeightsError: from opening the backbone.
    """
    from nearid_search.trainer.new_head import make_head, resolve_head

    started = time.perf_counter()
    listener = listener or Listener()
    dataset = open_dataset(Path(config.dataset))
    hashes = hash_images(dataset, progress=listener.on_hash)
    warnings = check_dataset(dataset, hashes)
    require_pairs(dataset)
    for warning in warnings:
        listener.on_note(f"warning: {warning}")
    backbone = open_backbone(config.backbone, device=config.device, dtype=config.dtype)
    _make_folder(Path(config.out))
    store = _open_store(config, dataset, hashes, backbone)
    head = resolve_head(config.head, backbone, token_dims=store.token_dims)
    config = replace(config, dtype=backbone.spec.dtype, head=head)
    start = make_head(head, backbone, seed=config.seed, token_dims=store.token_dims)
    _whole_head(start, store)  # refused now if it has no place for the projection, not after the backbone's work
    learnt_from = [sample for sample in dataset.split("train") if _is_among(config.train_share, sample.identity)]
    dataset = replace(dataset, samples=(*learnt_from, *(each for each in dataset.samples if each.split != "train")))
    material = _Material(dataset, hashes, backbone, store, Variants(config.augment, learnt_from, hashes))
    failures = _cache_features(material, listener)
    result = _fit(config, start, material, listener)
    return TrainReport(
        out=str(Path(config.out)),
        head=load_head(Path(config.out), backbone_weights=backbone.spec.weights_fingerprint).fingerprint,
        backbone=backbone.spec.fingerprint,
        split_sizes=_split_sizes(dataset),
        images=sum(key in store for key in material.images()),
        steps=result.steps,
        best_step=result.best_step,
        scores=result.best,
        frozen=result.frozen,
        seconds=time.perf_counter() - started,
        warnings=(*warnings, *result.alarms),
        failures=tuple(failures),
    )


@dataclass(frozen=True)
class _Material:
    """What a head is fitted to: the dataset, the SHA-256 of its images, and where their features come from and go."""

    dataset: Dataset
    hashes: dict[ImageSource, str]
    backbone: Backbone
    store: FeatureStore
    variants: Variants

    def images(self) -> dict[str, ImageSource]:
        """Return every picture that is learnt from or validated on by its content key; masks are none."""
        pictures = (placed for placed in self.dataset.images() if placed.role != "mask" and placed.split != "test")
        return {self.hashes[placed.image]: placed.image for placed in pictures}


def _open_store(
    config: TrainConfig, dataset: Dataset, hashes: dict[ImageSource, str], backbone: Backbone
) -> FeatureStore:
    """Open the store; if it projects tokens, learn onto what, from the train split alone."""
    folder = Path(config.features) if config.features else Path(config.out) / "features"
    store = FeatureStore(folder, backbone.spec, config.codec)
    if store.lacks_projections:
        pictures = (placed for placed in dataset.images() if placed.split == "train" and placed.role != "mask")
        images = {hashes[placed.image]: placed.image for placed in pictures}
        store.set_projections(learn_projections(images, backbone, config.codec))
    return store


def _cache_features(material: _Material, listener: Listener) -> list[Failure]:
    """Say how much there is to do and do it."""
    images, variants, store = material.images(), material.variants, material.store
    names = [name for key in images for name in variants.keys(key)]
    missing = sum(name not in store for name in names)
    size = missing * store.bytes_per_image / 1e6
    spec, device = material.backbone.spec, material.backbone.device
    listener.on_note(
        f"{len(names) - missing} images cached already, {missing} to do: {size:,.1f} MB in {store.folder}; "
        f"{spec.name} in {spec.dtype} on {device}"
        + (f" ({len(names) - len(images)} of the images are variants)" if len(names) > len(images) else "")
    )
    return extract_features(images, material.backbone, store, variants=variants, on_progress=listener.on_extract)


def _fit(config: TrainConfig, start: MapHead, material: _Material, listener: Listener) -> FitResult:
    """Fit the head to the cached features; the best one is kept in ``config.out``."""
    from nearid_search.trainer.fit import HeadFit

    dataset, store = material.dataset, material.store
    manifest = _manifest(config, _whole_head(start, store)[0], material)

    def save_best(head: MapHead, scores: ValidationScores, step: int) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        metrics = {"step": step, **scores.as_dict()}
        save_head(Path(config.out), _whole_head(head, store)[1], replace(manifest, metrics=metrics, created_at=now))

    train, val = (rows_of(dataset.split(name), material.hashes, store) for name in ("train", "val"))
    fit = HeadFit(
        start,
        store,
        material.variants.with_twins(train, store),
        val,
        config,
        device=material.backbone.device,
        out=Path(config.out),
        save_best=save_best,
        variants=material.variants.rows(store),
        origin={"data": manifest.data_hash, "backbone_weights": manifest.backbone_weights},
    )
    return fit.run(listener.on_step)


def _is_among(share: float, identity: str) -> bool:
    """Whether an identity is of this share of all; of a larger share it is, too."""
    drawn = int.from_bytes(hashlib.sha256(f"share/{identity}".encode()).digest()[:8], "little") / 2**64
    return drawn < share


def _whole_head(head: MapHead, store: FeatureStore) -> tuple[HeadSpec, dict[str, NDArray[np.float32]]]:
    """Return a head of the backbone's own tokens, whatever the store has made of them."""
    arrays = head.to_arrays()
    return fold_into_head(head.spec, arrays, store.projections) if store.projections else (head.spec, arrays)


def _manifest(config: TrainConfig, head_spec: HeadSpec, material: _Material) -> HeadManifest:
    """Return a head's manifest, its metrics and time apart."""
    return HeadManifest(
        spec=head_spec,
        backbone=config.backbone,
        backbone_weights=material.backbone.spec.weights_fingerprint,
        data_hash=data_hash(material.dataset, material.hashes),
        split_sizes=_split_sizes(material.dataset),
        seed=config.seed,
        config=_without_folders(config),
        created_at="",
        made_by=__version__,
    )


def _without_folders(config: TrainConfig) -> dict[str, Any]:
    """Return the settings with the last name of each place: where it lay on this machine concerns nobody else."""
    places = {name: Path(getattr(config, name)).name for name in ("dataset", "out", "features")}
    return config.as_dict() | places


def _split_sizes(dataset: Dataset) -> dict[str, int]:
    return {name: len(dataset.split(name)) for name in SPLITS}


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(f"cannot write to {out}: {error.strerror or error}") from error
