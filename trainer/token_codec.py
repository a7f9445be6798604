"""How an image's tokens are kept on disk: in half precision or in eight bits, all of them or a random few."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import ConfigError

_DTYPES = ("float16", "int8")
_LEVELS = 127  # of int8 on each side of zero
_GROUP = 128  # columns that share a step: layers, and colours beside them, differ in size by ten times
_HALF_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, kw_only=True)
class TokenCodec:
    """What is kept of the tokens of one image at one scale.

    Attributes:
        dtype: "float16", or "int8" with one float32 step for every 128 columns of a token (their largest value / 127).
        max_tokens: random tokens kept at each scale; None keeps all. The choice depends on the image's key alone, so
            a store that is resumed holds what an uninterrupted one does.
        pca_dim: principal components kept of each token; None keeps tokens whole.
        standardise: bring every column of the tokens to mean 0 and deviation 1, as measured on some of the training
            images; not with ``pca_dim``.
    """

    dtype: Literal["float16", "int8"] = "float16"
    max_tokens: int | None = None
    pca_dim: int | None = None
    standardise: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES:
            raise ConfigError(f"tokens can be kept as {' or '.join(_DTYPES)}, not {self.dtype!r}")
        for name in ("max_tokens", "pca_dim"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigError(f"codec.{name} must be a whole number of 1 or more, got {value!r}")
        if self.standardise and self.pca_dim is not None:
            raise ConfigError(f"codec.standardise and codec.pca_dim exclude each other, got pca_dim {self.pca_dim}")

    @property
    def projects(self) -> bool:
        """Whether tokens go through a linear map that is learnt first (see ``trainer.token_projection``)."""
        return self.standardise or self.pca_dim is not None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-ready values."""
        return asdict(self)

    def record_dtype(self, num_tokens: int, dim: int) -> np.dtype[np.void]:
        """Return the layout of one image's record at one scale.

        Args:
            num_tokens: tokens the backbone gives at this scale.
            dim: width of a token.
        """
        kept = num_tokens if self.max_tokens is None else min(self.max_tokens, num_tokens)
        fields: list[Any] = [("tokens", np.dtype(self.dtype), (kept, dim))]
        if self.dtype == "int8":
            fields.append(("steps", np.dtype(np.float32), (kept, -(-dim // _GROUP))))
        return np.dtype(fields)

    def encode(self, tokens: NDArray[np.float32], *, key: str) -> NDArray[np.void]:
        """Turn one image's tokens into a record.

        Args:
            tokens: (N, D) float32.
            key: content key of the image; seeds the choice of tokens.

        Returns:
            A record of ``record_dtype(N, D)``, shape ().
        """
        record = np.zeros((), self.record_dtype(*tokens.shape))
        kept = self._choose(tokens, key)
        if self.dtype == "float16":
            # A value beyond half precision would become infinite and poison every epoch.
            record["tokens"] = np.clip(kept, -_HALF_MAX, _HALF_MAX)
        else:
            steps = np.maximum.reduceat(np.abs(kept), _starts(kept.shape[1]), axis=1) / _LEVELS
            record["tokens"] = np.rint(kept / _for_columns(np.where(steps > 0, steps, 1), kept.shape[1]))
            record["steps"] = steps
        return record

    def decode(
        self, records: NDArray[np.void], rows: NDArray[np.int64], places: NDArray[np.int64] | None = None
    ) -> NDArray[np.float32]:
        """Turn records back into tokens.

        Args:
            records: (R,) of ``record_dtype``.
            rows: (B,) numbers of the records wanted.
            places: (N,) numbers of the tokens wanted of each; None for all.

        Returns:
            (B, N, D) float32; off by at most 2**-11 of each value (float16) or half a step (int8).
        """
        width, dim = records["tokens"].shape[1:]
        chosen = np.arange(width) if places is None else places
        tokens = np.empty((len(rows), len(chosen), dim), np.float32)
        # Image by image: whole batches in between would be written to memory three times.
        for out, row in zip(tokens, rows, strict=True):
            record = records[row]
            out[:] = record["tokens"][chosen]
            if self.dtype == "int8":
                for group, start in enumerate(_starts(dim).tolist()):
                    out[:, start : start + _GROUP] *= record["steps"][chosen, group, None]
        return tokens

    def _choose(self, tokens: NDArray[np.float32], key: str) -> NDArray[np.float32]:
        if self.max_tokens is None or self.max_tokens >= len(tokens):
            return tokens
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        chosen: NDArray[np.float32] = tokens[np.sort(rng.permutation(len(tokens))[: self.max_tokens])]
        return chosen


def _starts(dim: int) -> NDArray[np.int64]:
    return np.arange(0, dim, _GROUP)


def _for_columns(steps: NDArray[np.float32], dim: int) -> NDArray[np.float32]:
    """Repeat the steps (..., groups) of groups of columns for each of their columns, (..., dim)."""
    return np.repeat(steps, np.diff(np.append(_starts(dim), dim)), axis=-1)
