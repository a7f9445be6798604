"""The shape of an identity head, apart from any library that runs it.

The torch head that trains, the NumPy head that answers and the file between them agree because all three ask this
module for sizes and array names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ConfigError, ShapeError, WeightsError

Arrays = Mapping[str, NDArray[np.float32]]
LAYER_NORM_EPS = 1e-6
ACTIVATIONS = ("gelu_tanh", "gelu")


@dataclass(frozen=True, kw_only=True)
class HeadSpec:
    """Everything about an attention-pooling head but its weights.

    Each scale's tokens are projected to ``width``, unless there is one scale and it has that width already and
    ``nonlinear_tokens`` is not set. Several probes are concatenated and projected, not averaged: averaged probes that
    start equal would stay equal. One probe is projected only if ``out_dim`` differs from ``width``.

    Attributes:
        token_dims: width of a token at each scale.
        width: width of the attention and of each probe; a multiple of ``num_heads``.
        num_heads: attention heads.
        num_probes: learned queries that attend over the tokens.
        mlp_dim: hidden width of the MLP.
        out_dim: width of the embedding.
        activation: of the MLP: "gelu_tanh", as the published heads have it, or "gelu", the exact one, as timm's towers
            have it.
        nonlinear_tokens: whether projected tokens go through the activation before the probes attend over them. What
            is gathered is an average, so without it a head sees which colours and textures there are, and with it which
            of them stand in one place.

    Raises:
        ConfigError: if a value is out of range.
    """

    token_dims: tuple[int, ...]
    width: int
    num_heads: int
    num_probes: int
    mlp_dim: int
    out_dim: int
    activation: str = "gelu_tanh"
    nonlinear_tokens: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.token_dims, tuple) or not self.token_dims:
            raise ConfigError(f"token_dims must hold the width of at least one token scale, got {self.token_dims!r}")
        sizes = [(f"token_dims[{number}]", dim) for number, dim in enumerate(self.token_dims)]
        names = ("width", "num_heads", "num_probes", "mlp_dim", "out_dim")
        for name, size in sizes + [(name, getattr(self, name)) for name in names]:
            if type(size) is not int or size < 1:
                raise ConfigError(f"{name} must be a whole number of at least 1, got {size!r}")
        if self.width % self.num_heads:
            raise ConfigError(f"width must be a multiple of num_heads, got {self.width} and {self.num_heads}")
        if self.activation not in ACTIVATIONS:
            raise ConfigError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")
        if type(self.nonlinear_tokens) is not bool:
            raise ConfigError(f"nonlinear_tokens must be true or false, got {self.nonlinear_tokens!r}")

    @property
    def projects_tokens(self) -> bool:
        """Whether tokens go through a linear map of their scale first."""
        return self.nonlinear_tokens or self.token_dims != (self.width,)

    @property
    def projects_output(self) -> bool:
        """Whether probes go through a linear map to ``out_dim`` last."""
        return self.num_probes > 1 or self.out_dim != self.width

    def array_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every array of weights, all float32, by name; weights of linear maps are (out, in)."""
        width = self.width
        linear = dict.fromkeys(("query", "key", "value", "attention"), (width, width))
        linear |= {"mlp_in": (self.mlp_dim, width), "mlp_out": (width, self.mlp_dim)}
        if self.projects_tokens:
            linear |= {f"scales.{number}": (width, dim) for number, dim in enumerate(self.token_dims)}
        if self.projects_output:
            linear["output"] = (self.out_dim, self.num_probes * width)
        shapes: dict[str, tuple[int, ...]] = {"probes": (self.num_probes, width)}
        shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
        for name, shape in linear.items():
            shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return shapes

    @property
    def num_parameters(self) -> int:
        """How many numbers the weights hold."""
        return sum(prod(shape) for shape in self.array_shapes().values())

    def check_arrays(self, arrays: Arrays, source: str) -> None:
        """Make sure weights have the names, shapes and dtype of this spec.

        Args:
            arrays: weights by name.
            source: where they came from, for the message.

        Raises:
            WeightsError: names the first array that does not fit.
        """
        shapes = self.array_shapes()
        for name, shape in shapes.items():
            if name not in arrays:
                raise WeightsError(f"{source}: {name!r} is missing; expected shape {shape}")
            found = arrays[name]
            if found.shape != shape or found.dtype != np.float32:
                raise WeightsError(f"{source}: {name!r} is {found.dtype} {found.shape}, expected float32 {shape}")
        for name in arrays:
            if name not in shapes:
                raise WeightsError(f"{source}: {name!r} is unexpected; a head of this spec has no such array")

    def check_tokens(self, shapes: list[tuple[int, ...]]) -> None:
        """Make sure tokens are what this head reads.

        Args:
            shapes: of the tokens at each scale; expected (B, N, D) with one B, N >= 1 and D of ``token_dims``.

        Raises:
            ShapeError: if they are not.
        """
        dims = self.token_dims
        fits = len(shapes) == len(dims) and all(len(shape) == 3 and shape[1] > 0 for shape in shapes)
        if not fits or tuple(shape[2] for shape in shapes) != dims or len({shape[0] for shape in shapes}) != 1:
            wanted = ", ".join(f"(B, N, {dim})" for dim in dims)
            raise ShapeError(f"tokens must be {len(dims)} scales {wanted} with N of at least 1, got {shapes}")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        values = {**asdict(self), "token_dims": list(self.token_dims)}
        if not self.nonlinear_tokens:
            del values["nonlinear_tokens"]  # as before there were any: a head keeps its fingerprint
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> HeadSpec:
        """Make a spec from what ``as_dict`` gave.

        Raises:
            ConfigError: if a field is unknown, missing or out of range.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ConfigError(f"a head spec has no field {unknown[0]!r}; its fields: {', '.join(sorted(known))}")
        if missing := sorted(known - {"activation", "nonlinear_tokens"} - set(values)):
            raise ConfigError(f"a head spec needs the field {missing[0]!r}")
        dims = values["token_dims"]
        if not isinstance(dims, list | tuple):
            raise ConfigError(f"token_dims must be a list of widths, got {dims!r}")
        return cls(**{**values, "token_dims": tuple(dims)})
