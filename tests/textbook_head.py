"""The identity head as its equations read, the oracle of every faster one: each token to a key and a value."""

import math

import numpy as np
from numpy.typing import NDArray

from nearid_search.head_spec import LAYER_NORM_EPS, Arrays, HeadSpec

Floats = NDArray[np.float64]


def embed_by_the_book(spec: HeadSpec, arrays: Arrays, tokens: list[NDArray[np.float32]]) -> Floats:
    """(B, out_dim) unit rows in float64."""
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    return np.stack([_embed_image(spec, wide, [scale[row] for scale in tokens]) for row in range(len(tokens[0]))])


def _embed_image(spec: HeadSpec, arrays: dict[str, Floats], scales: list[NDArray[np.float32]]) -> Floats:
    def linear(name: str, inputs: Floats) -> Floats:
        return inputs @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]

    wide = [scale.astype(np.float64) for scale in scales]
    if spec.projects_tokens:
        wide = [linear(f"scales.{number}", scale) for number, scale in enumerate(wide)]
    tokens = np.concatenate(wide)
    if spec.nonlinear_tokens:
        tokens = _gelu(spec, tokens)
    queries, keys, values = linear("query", arrays["probes"]), linear("key", tokens), linear("value", tokens)
    gathered = np.empty((spec.num_probes, spec.width))
    each = spec.width // spec.num_heads
    for head in range(spec.num_heads):
        part = slice(head * each, (head + 1) * each)
        for probe in range(spec.num_probes):
            logits = keys[:, part] @ queries[probe, part] / math.sqrt(each)
            powers = np.exp(logits - logits.max())
            gathered[probe, part] = powers / powers.sum() @ values[:, part]
    attended = linear("attention", gathered)
    centred = attended - attended.mean(axis=1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + LAYER_NORM_EPS)
    hidden = linear("mlp_in", normed * arrays["norm.weight"] + arrays["norm.bias"])
    pooled = (attended + linear("mlp_out", _gelu(spec, hidden))).reshape(-1)
    if spec.projects_output:
        pooled = linear("output", pooled)
    unit: Floats = pooled / np.linalg.norm(pooled)
    return unit


def _gelu(spec: HeadSpec, inputs: Floats) -> Floats:
    if spec.activation == "gelu_tanh":
        gate = np.tanh(math.sqrt(2 / math.pi) * (inputs + 0.044715 * inputs**3))
    else:
        gate = np.vectorize(math.erf)(inputs / math.sqrt(2))
    activated: Floats = 0.5 * inputs * (1 + gate)
    return activated
