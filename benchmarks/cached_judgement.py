"""Judge heads on features that training has cached: no picture is decoded and no backbone runs.

The cache keeps eight bits of a token, which moves PA by 0.005 (docs/decisions.md), so figures from here choose between
heads and describe none: those of a head that ships come from `nearid-search eval`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from nearid_search.backbones.base import Backbone
from nearid_search.backbones.registry import open_backbone
from nearid_search.errors import WeightsError
from nearid_search.eval.comparisons import compare_readouts
from nearid_search.eval.embedded_split import EmbeddedSplit, arrange_split
from nearid_search.eval.encode_pictures import EncodedPictures, Picture
from nearid_search.eval.eval_report import ReadoutReport
from nearid_search.eval.evaluate import EvalOptions, judge_readout
from nearid_search.eval.paired import PairedDifference
from nearid_search.eval.readouts import HEAD, OTHER
from nearid_search.head import MapHead
from nearid_search.head_file import LoadedHead, load_head
from nearid_search.similarity import Embeddings, unit_rows
from nearid_search.trainer.config import TrainConfig
from nearid_search.trainer.datasets import Dataset, open_dataset
from nearid_search.trainer.datasets.checks import hash_images
from nearid_search.trainer.feature_store import FeatureStore

_CHUNK = 64


def judge_cached(
    config: TrainConfig, split: str, first: Path | None
) -> tuple[ReadoutReport, Mapping[str, PairedDifference]]:
    """Judge a head that was trained just now.

    Args:
        config: of its training, which names dataset, features and head.
        split: ``train`` or ``val``; the cache has no other.
        first: folder of a head to compare with; it is passed over if it reads another backbone.

    Returns:
        The report, and the head's figures less the first head's on the same samples.
    """
    backbone = open_backbone(config.backbone, device="cpu", dtype=config.dtype)
    weights = backbone.spec.weights_fingerprint
    heads = {HEAD: load_head(Path(config.out), backbone_weights=weights)}
    other = find_comparable(first, weights) if first != Path(config.out) else None
    if other is not None:
        heads[OTHER] = other
    embedded = embed_cached(config, split, backbone, heads)
    options = EvalOptions(masked=False)
    reports = {name: judge_readout(embedded, name, head.fingerprint, options) for name, head in heads.items()}
    differences = compare_readouts(reports, options.sampling)
    return reports[HEAD], differences.get(f"{HEAD} - {OTHER}", {})


def embed_cached(config: TrainConfig, split: str, backbone: Backbone, heads: Mapping[str, LoadedHead]) -> EmbeddedSplit:
    """Embed a split by several heads, from cached features.

    Args:
        config: names dataset and features.
        split: ``train`` or ``val``; the cache has no other.
        backbone: whose features they are.
        heads: by the name of the readout to make.
    """
    store = FeatureStore(Path(config.features), backbone.spec, config.codec)
    dataset = open_dataset(Path(config.dataset))
    judged = replace(dataset, samples=dataset.split(split))
    return arrange_split(judged.samples, _read_pictures(judged, store, heads))


def find_comparable(folder: Path | None, backbone_weights: str) -> LoadedHead | None:
    """Read a head to compare with; None if there is none, or it is of another backbone, whose line has its figures."""
    if folder is None:
        return None
    try:
        return load_head(folder, backbone_weights=backbone_weights)
    except WeightsError:
        return None


def _read_pictures(dataset: Dataset, store: FeatureStore, heads: Mapping[str, LoadedHead]) -> EncodedPictures:
    hashes = hash_images(dataset)
    images = [placed.image for placed in dataset.images() if placed.role != "mask"]
    kept = {hashes[image]: image for image in images if hashes[image] in store}
    keys = tuple(kept)
    row_of = {key: row for row, key in enumerate(keys)}
    rows = store.rows(keys)
    return EncodedPictures(
        rows={Picture(image): row_of[hashes[image]] for image in images if hashes[image] in row_of},
        pictures=tuple(Picture(image) for image in kept.values()),
        keys=keys,
        embeddings={name: _embed(head, store, rows) for name, head in heads.items()},
        failures={},
    )


def _embed(head: LoadedHead, store: FeatureStore, rows: NDArray[np.int64]) -> Embeddings:
    network = MapHead.from_arrays(head.spec, head.arrays).eval()
    parts = []
    for start in range(0, len(rows), _CHUNK):
        tokens = store.tokens(rows[start : start + _CHUNK])
        if store.projections:
            tokens = tuple(each.restore(scale) for each, scale in zip(store.projections, tokens, strict=True))
        with torch.inference_mode():
            parts.append(network([torch.from_numpy(scale) for scale in tokens]).numpy())
    return unit_rows(np.concatenate(parts))
