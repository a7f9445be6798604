"""Embeddings of rows of the feature store, by the head as it is or by the frozen tokens alone; in chunks."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nearid_search.head import MapHead
from nearid_search.similarity import Embeddings, unit_rows
from nearid_search.trainer.feature_store import FeatureStore

_CHUNK = 64  # images a call


@torch.no_grad()
def head_embeddings(head: MapHead, store: FeatureStore, rows: NDArray[np.int64], *, device: str) -> Embeddings:
    """Embed rows with the head in its present state.

    Args:
        head: on ``device``.
        store: where the tokens are.
        rows: (R,) rows of the store, at least one.
        device: "cpu" or "cuda:N".

    Returns:
        (R, D) float32 unit rows.

    Raises:
        ShapeError: if the head gives a row without direction, because its weights are no numbers.
    """
    head.eval()
    parts = []
    for start in range(0, len(rows), _CHUNK):
        tokens = [torch.from_numpy(scale).to(device) for scale in store.tokens(rows[start : start + _CHUNK])]
        parts.append(head(tokens).cpu().numpy())
    return unit_rows(np.concatenate(parts))


def frozen_embeddings(store: FeatureStore, rows: NDArray[np.int64]) -> Embeddings:
    """Average the tokens of each image over each scale: what the frozen backbone knows, head apart.

    Args:
        store: where the tokens are.
        rows: (R,) rows of the store, at least one.

    Returns:
        (R, F) float32 unit rows.
    """
    parts = []
    for start in range(0, len(rows), _CHUNK):
        scales = store.tokens(rows[start : start + _CHUNK])
        parts.append(np.concatenate([scale.mean(axis=1) for scale in scales], axis=1))
    return unit_rows(np.concatenate(parts))
