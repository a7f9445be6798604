"""The identity head in NumPy, for machines without torch.

Attention is folded as ``head_folding`` says, so no token is mapped to a key or a value. Images are computed one by one:
the order in which a matrix product sums may depend on its size, and an embedding must not depend on the rest of the
batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ShapeError
from nearid_search.head_folding import LogitMap, fold_attention
from nearid_search.head_spec import LAYER_NORM_EPS, Arrays, HeadSpec
from nearid_search.similarity import Embeddings, unit_rows

Floats = NDArray[np.float32]
_erf = np.frompyfunc(math.erf, 1, 1)
_CHOICES_AT_ONCE = 64  # bounds the memory of their attention weights


def embed(spec: HeadSpec, arrays: Arrays, tokens: Sequence[NDArray[np.floating]]) -> Embeddings:
    """Compute embeddings.

    Args:
        spec: sizes.
        arrays: weights by name, as ``HeadSpec.array_shapes`` lists them.
        tokens: one (B, N, D) array for each of ``spec.token_dims``; B may be 0.

    Returns:
        (B, out_dim) float32 unit rows.

    Raises:
        ShapeError: if ``tokens`` has other shapes, or an image's result is zero or not finite.
    """
    return unit_rows(pool(spec, arrays, tokens))


def pool(spec: HeadSpec, arrays: Arrays, tokens: Sequence[NDArray[np.floating]]) -> Floats:
    """Compute the embeddings before they are scaled to length 1.

    Args:
        spec: sizes.
        arrays: weights by name, as ``HeadSpec.array_shapes`` lists them.
        tokens: one (B, N, D) array for each of ``spec.token_dims``; B may be 0.

    Returns:
        (B, out_dim) float32.

    Raises:
        ShapeError: if ``tokens`` has other shapes.
    """
    spec.check_tokens([scale.shape for scale in tokens])
    logit_maps = fold_attention(spec, arrays)
    pooled = np.empty((len(tokens[0]), spec.out_dim), np.float32)
    for row in range(len(pooled)):
        # A copy, so that neither strides nor alignment can choose another way through the matrix product.
        scales = [np.array(scale[row], np.float32, order="C") for scale in tokens]
        pooled[row] = _pool_image(spec, arrays, logit_maps, scales)
    return pooled


def attention(spec: HeadSpec, arrays: Arrays, tokens: Sequence[NDArray[np.floating]]) -> list[Floats]:
    """Compute how much the head attends to each token, averaged over its heads and probes.

    Args:
        spec: sizes.
        arrays: weights by name, as ``HeadSpec.array_shapes`` lists them.
        tokens: one (B, N, D) array for each of ``spec.token_dims``; B may be 0.

    Returns:
        One (B, N) float32 array a scale; those of an image sum to 1 over all scales.

    Raises:
        ShapeError: if ``tokens`` has other shapes.
    """
    spec.check_tokens([scale.shape for scale in tokens])
    logit_maps = fold_attention(spec, arrays)
    shares = [np.empty(scale.shape[:2], np.float32) for scale in tokens]
    ends = np.cumsum([scale.shape[1] for scale in tokens])[:-1]
    for row in range(len(tokens[0])):
        scales = [np.array(scale[row], np.float32, order="C") for scale in tokens]
        logits = _logits(logit_maps, _activated(spec, arrays, scales))
        for share, part in zip(shares, np.split(_softmax(logits).mean(axis=0), ends), strict=True):
            share[row] = part
    return shares


def pool_parts(
    spec: HeadSpec, arrays: Arrays, scales: Sequence[NDArray[np.floating]], kept: Sequence[NDArray[np.bool_]]
) -> Floats:
    """Pool an image as if some of its tokens were not there, for several choices of tokens.

    The tokens themselves stay what they are: each has seen the rest of the picture inside the backbone.

    Args:
        spec: sizes.
        arrays: weights by name, as ``HeadSpec.array_shapes`` lists them.
        scales: one (N, D) array for each of ``spec.token_dims``.
        kept: one (K, N) array a scale: which tokens each of K choices leaves; at least one of all its scales'.

    Returns:
        (K, out_dim) float32, before scaling to length 1.

    Raises:
        ShapeError: if ``scales`` or ``kept`` has other shapes, or a choice leaves nothing.
    """
    spec.check_tokens([(1, *scale.shape) for scale in scales])
    chosen = np.concatenate(kept, axis=1)
    if [part.shape[1] for part in kept] != [len(scale) for scale in scales] or not chosen.any(axis=1).all():
        raise ShapeError(f"kept must name tokens of every scale, and some in each row, got {[p.shape for p in kept]}")
    activated = _activated(spec, arrays, [np.array(scale, np.float32, order="C") for scale in scales])
    logits = _logits(fold_attention(spec, arrays), activated)
    pooled = np.empty((len(chosen), spec.out_dim), np.float32)
    for start in range(0, len(chosen), _CHOICES_AT_ONCE):
        rows = slice(start, start + _CHOICES_AT_ONCE)
        shares = _softmax(np.where(chosen[rows, None], logits, np.float32(-np.inf)))
        pooled[rows] = _finish(spec, arrays, _gather(spec, arrays, shares, activated))
    return pooled


def _pool_image(spec: HeadSpec, arrays: Arrays, logit_maps: list[LogitMap], scales: list[Floats]) -> Floats:
    """Pool one image: (N, D) tokens at each scale to (out_dim,)."""
    activated = _activated(spec, arrays, scales)
    return _finish(spec, arrays, _gather(spec, arrays, _softmax(_logits(logit_maps, activated)), activated))


def _finish(spec: HeadSpec, arrays: Arrays, values: Floats) -> Floats:
    """Turn what the probes have gathered, (..., P, width), into (..., out_dim)."""
    attended = _linear(arrays, "attention", values)
    hidden = _gelu(_linear(arrays, "mlp_in", _layer_norm(arrays, attended)), spec.activation)
    probes = attended + _linear(arrays, "mlp_out", hidden)
    pooled: Floats = probes.reshape(*probes.shape[:-2], -1)
    return _linear(arrays, "output", pooled) if spec.projects_output else pooled


def _activated(spec: HeadSpec, arrays: Arrays, scales: list[Floats]) -> list[Floats]:
    """Return the tokens that the probes attend over."""
    if not spec.nonlinear_tokens:
        return scales
    mapped = (_linear(arrays, f"scales.{number}", scale) for number, scale in enumerate(scales))
    return [_gelu(scale, spec.activation) for scale in mapped]


def _logits(logit_maps: list[LogitMap], scales: list[Floats]) -> Floats:
    """Return the attention logits of all tokens, (M, N) with M = heads * probes."""
    logits = [fold.directions @ scale.T + fold.offsets[:, None] for fold, scale in zip(logit_maps, scales, strict=True)]
    return np.concatenate(logits, axis=1)


def _gather(spec: HeadSpec, arrays: Arrays, weights: Floats, scales: list[Floats]) -> Floats:
    """Return what each probe gathers by attention weights (..., M, N), its heads side by side: (..., P, width)."""
    ends = np.cumsum([len(scale) for scale in scales])[:-1]
    shares = np.split(weights, ends, axis=-1)
    gathered = [share @ scale for share, scale in zip(shares, scales, strict=True)]
    if spec.projects_tokens and not spec.nonlinear_tokens:
        for number, share in enumerate(shares):
            bias = share.sum(axis=-1, keepdims=True) * arrays[f"scales.{number}.bias"]
            gathered[number] = gathered[number] @ arrays[f"scales.{number}.weight"].T + bias
    leading = weights.shape[:-2]
    by_head = np.sum(gathered, axis=0).reshape(*leading, spec.num_heads, spec.num_probes, spec.width)
    value_maps = arrays["value.weight"].reshape(spec.num_heads, -1, spec.width).transpose(0, 2, 1)
    side_by_side = np.swapaxes(by_head @ value_maps, -3, -2).reshape(*leading, spec.num_probes, spec.width)
    values: Floats = side_by_side + arrays["value.bias"]
    return values


def _linear(arrays: Arrays, name: str, inputs: Floats) -> Floats:
    outputs: Floats = inputs @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]
    return outputs


def _softmax(logits: Floats) -> Floats:
    powers: Floats = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _layer_norm(arrays: Arrays, rows: Floats) -> Floats:
    centred = rows - rows.mean(axis=-1, keepdims=True)
    variance = np.square(centred).mean(axis=-1, keepdims=True)
    normed: Floats = centred / np.sqrt(variance + np.float32(LAYER_NORM_EPS))
    return normed * arrays["norm.weight"] + arrays["norm.bias"]


def _gelu(inputs: Floats, activation: str) -> Floats:
    if activation == "gelu_tanh":
        gate = np.tanh(np.float32(math.sqrt(2 / math.pi)) * (inputs + np.float32(0.044715) * inputs * inputs * inputs))
    else:
        gate = _erf(inputs / np.float32(math.sqrt(2))).astype(np.float32)
    activated: Floats = np.float32(0.5) * inputs * (1 + gate)
    return activated
