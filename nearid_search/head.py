"""The identity head in torch: multi-head attention pooling over frozen tokens, the part that is trained.

The probes are the same for every image, so everything linear between a token and its attention logit is folded into
one direction for each head and probe, and only the pooled tokens go through the maps to values. A textbook head maps
every token to a key and a value; this one gives the same numbers up to rounding and touches each token twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from nearid_search.head_spec import LAYER_NORM_EPS, Arrays, HeadSpec


class MapHead(torch.nn.Module):
    """Turns an image's patch tokens into its embedding.

    Learned probes attend over the tokens of all scales; with y the attention's output, a probe gives
    ``y + MLP(LayerNorm(y))``. Cvejic et al., "NearID", arXiv 2604.01973; the pooling is SigLIP's.

    Args:
        spec: sizes.
        seed: decides the initial weights; torch's global generator is neither read nor advanced.
    """

    def __init__(self, spec: HeadSpec, *, seed: int = 0) -> None:
        super().__init__()
        self.spec = spec
        width = spec.width
        self.probes = torch.nn.Parameter(torch.empty(spec.num_probes, width))
        self.query = _linear(width, width)
        self.key = _linear(width, width)
        self.value = _linear(width, width)
        self.attention = _linear(width, width)
        self.norm = torch.nn.LayerNorm(width, eps=LAYER_NORM_EPS)
        self.mlp_in = _linear(width, spec.mlp_dim)
        self.mlp_out = _linear(spec.mlp_dim, width)
        dims = spec.token_dims if spec.projects_tokens else ()
        self.scales = torch.nn.ModuleList(_linear(dim, width) for dim in dims)
        self.output = _linear(spec.num_probes * width, spec.out_dim) if spec.projects_output else None
        self._initialise(torch.Generator().manual_seed(seed))

    @classmethod
    def from_arrays(cls, spec: HeadSpec, arrays: Arrays) -> MapHead:
        """Make a head from weights, such as ``load_head`` gives.

        Args:
            spec: sizes.
            arrays: float32 weights by name; copied.

        Raises:
            WeightsError: if a name, shape or dtype is not the spec's.
        """
        spec.check_arrays(arrays, "weights of a head")
        head = cls(spec)
        head.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})
        return head

    def to_arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return a copy of the weights by name, float32, as ``save_head`` and ``head_numpy`` take them."""
        return {name: tensor.float().cpu().numpy().copy() for name, tensor in self.state_dict().items()}

    def forward(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute embeddings.

        Args:
            tokens: one (B, N, D) tensor for each of ``spec.token_dims``; N may differ between scales.

        Returns:
            (B, out_dim) float32 unit rows.

        Raises:
            ShapeError: if ``tokens`` has other shapes.
        """
        return functional.normalize(self.pool(tokens).float(), dim=-1)

    def pool(self, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
        """Compute the embeddings before they are scaled to length 1.

        Args:
            tokens: as for ``forward``; converted to the dtype of the weights.

        Returns:
            (B, out_dim) in the dtype of the weights, or of autocast.

        Raises:
            ShapeError: if ``tokens`` has other shapes.
        """
        self.spec.check_tokens([tuple(scale.shape) for scale in tokens])
        attended = self.attention(self._attend([scale.to(self.probes.dtype) for scale in tokens]))
        hidden = self._activate(self.mlp_in(self.norm(attended)))
        pooled: torch.Tensor = (attended + self.mlp_out(hidden)).flatten(1)
        return pooled if self.output is None else self.output(pooled)

    def _attend(self, tokens: list[torch.Tensor]) -> torch.Tensor:
        """Return what each probe gathers, its heads side by side: (B, P, width)."""
        heads, probes, width = self.spec.num_heads, self.spec.num_probes, self.spec.width
        each = width // heads
        queries = self.query(self.probes).view(probes, heads, each) * each**-0.5
        directions = torch.einsum("phe,hew->hpw", queries, self.key.weight.view(heads, each, width)).flatten(0, 1)
        offsets = torch.einsum("phe,he->hp", queries, self.key.bias.view(heads, each)).flatten()
        projections: list[torch.nn.Linear | None] = [*cast("Iterable[torch.nn.Linear]", self.scales)]
        if self.spec.nonlinear_tokens:
            tokens = [self._activate(scale(part)) for scale, part in zip(self.scales, tokens, strict=True)]
            projections = []
        projections = projections or [None] * len(tokens)
        logits = [
            _attention_logits(scale, projection, directions, offsets)
            for scale, projection in zip(tokens, projections, strict=True)
        ]
        weights = torch.split(torch.cat(logits, dim=-1).softmax(dim=-1), [scale.shape[1] for scale in tokens], dim=-1)
        parts = [_weighted_sum(*part) for part in zip(tokens, projections, weights, strict=True)]
        gathered = torch.stack(parts).sum(dim=0).view(len(tokens[0]), heads, probes, width)
        values = torch.einsum("bhpw,hew->bphe", gathered, self.value.weight.view(heads, each, width))
        return values.flatten(2) + self.value.bias

    def _activate(self, inputs: torch.Tensor) -> torch.Tensor:
        approximate = "tanh" if self.spec.activation == "gelu_tanh" else "none"
        return functional.gelu(inputs, approximate=approximate)

    def _initialise(self, generator: torch.Generator) -> None:
        """Start like SigLIP's pool: Xavier matrices, zero biases, probes of about unit length."""
        for name, parameter in self.named_parameters():
            if name == "probes":
                torch.nn.init.normal_(parameter, std=self.spec.width**-0.5, generator=generator)
            elif parameter.ndim == 2:
                torch.nn.init.xavier_uniform_(parameter, generator=generator)
            elif name != "norm.weight":
                torch.nn.init.zeros_(parameter)


def _attention_logits(
    tokens: torch.Tensor, projection: torch.nn.Linear | None, directions: torch.Tensor, offsets: torch.Tensor
) -> torch.Tensor:
    """Return one scale's logits (B, M, N) for directions (M, width) and offsets (M,), M = heads * probes."""
    if projection is not None:
        offsets = offsets + directions @ projection.bias
        directions = directions @ projection.weight
    return directions @ tokens.transpose(1, 2) + offsets[:, None]


def _weighted_sum(tokens: torch.Tensor, projection: torch.nn.Linear | None, weights: torch.Tensor) -> torch.Tensor:
    """Return one scale's part of the attended tokens (B, M, width), from weights (B, M, N)."""
    gathered = weights @ tokens
    if projection is None:
        return gathered
    share = weights.sum(dim=-1, keepdim=True)
    return gathered @ projection.weight.T + share * projection.bias


def _linear(in_dim: int, out_dim: int) -> torch.nn.Linear:
    """Make a linear map without drawing its weights, which would advance the global generator."""
    return torch.nn.Linear(in_dim, out_dim, device="meta").to_empty(device="cpu")
