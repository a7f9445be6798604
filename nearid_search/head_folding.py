"""Attention of fixed probes, folded: one direction a head and probe stands for the maps to queries, keys and tokens.

The probes are the same for every image, so the logit of a token is linear in the token itself. Folding once leaves one
product with the tokens for the logits and one for what they gather; mapping every token to a key and a value costs
hundreds of times as much. Like ``head.MapHead._attend``, apart from torch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nearid_search.head_spec import Arrays, HeadSpec

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class LogitMap:
    """How one scale's tokens give attention logits: ``directions @ token + offsets``.

    Attributes:
        directions: (M, D) float32, M = heads x probes, head by head; the scale by 1 / sqrt(head width) included.
        offsets: (M,) float32.
    """

    directions: Floats
    offsets: Floats


def fold_attention(spec: HeadSpec, arrays: Arrays) -> list[LogitMap]:
    """Fold the maps that lead from a token to its logits.

    Computed in float64 and rounded once, so that folding adds less error than the products it replaces.

    Args:
        spec: sizes.
        arrays: weights by name, as ``HeadSpec.array_shapes`` lists them.

    Returns:
        One map for each of ``spec.token_dims``; with ``spec.nonlinear_tokens``, of the tokens after the activation.
    """
    wide = {name: arrays[name].astype(np.float64) for name in ("probes", "query.weight", "key.weight", "key.bias")}
    each = spec.width // spec.num_heads
    queries = wide["probes"] @ wide["query.weight"].T + arrays["query.bias"]
    queries = queries.reshape(spec.num_probes, spec.num_heads, each).transpose(1, 0, 2) * each**-0.5
    keys = wide["key.weight"].reshape(spec.num_heads, each, spec.width)
    directions = (queries @ keys).reshape(-1, spec.width)
    offsets = (queries @ wide["key.bias"].reshape(spec.num_heads, each, 1)).reshape(-1)
    if spec.nonlinear_tokens or not spec.projects_tokens:
        return [_round(directions, offsets)] * len(spec.token_dims)
    return [
        _round(
            directions @ arrays[f"scales.{number}.weight"].astype(np.float64),
            offsets + directions @ arrays[f"scales.{number}.bias"].astype(np.float64),
        )
        for number in range(len(spec.token_dims))
    ]


def _round(directions: NDArray[np.float64], offsets: NDArray[np.float64]) -> LogitMap:
    return LogitMap(directions.astype(np.float32), offsets.astype(np.float32))
