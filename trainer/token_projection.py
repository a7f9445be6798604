"""Fixed linear maps that tokens go through on the way into the cache: principal components, or one size a column.

Principal components make cached features several times smaller. Columns of one size make training faster: the layers
of a network and the colours beside them differ by ten times, and an optimiser takes the same step for each. Either is
linear, so a trained head takes it in: the head that is saved reads the backbone's own tokens again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nearid_search.durable_file import write_file
from nearid_search.errors import ConfigError, FeatureStoreError
from nearid_search.head_spec import Arrays, HeadSpec


@dataclass(frozen=True, eq=False)
class TokenPca:
    """The projection of one token scale.

    Attributes:
        mean: (D,) float32, taken off first.
        components: (k, D) float32, orthonormal rows, the one of largest variance first.
    """

    mean: NDArray[np.float32]
    components: NDArray[np.float32]

    def project(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Project tokens.

        Args:
            tokens: (..., D) float32.

        Returns:
            (..., k) float32.
        """
        projected: NDArray[np.float32] = np.matmul(tokens - self.mean, self.components.T, dtype=np.float32)
        return projected

    def restore(self, projected: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the tokens (..., D) nearest to those that were projected to ``projected`` (..., k)."""
        restored: NDArray[np.float32] = np.matmul(projected, self.components, dtype=np.float32) + self.mean
        return restored

    @property
    def matrix(self) -> NDArray[np.float32]:
        """What the tokens less their mean are multiplied by: (k, D) float32."""
        return self.components


@dataclass(frozen=True, eq=False)
class TokenScaling:
    """Takes the mean off each column of one token scale and brings it to deviation 1.

    Attributes:
        mean: (D,) float32.
        factors: (D,) float32, 1 over the deviation; 0 for a column that never changes.
    """

    mean: NDArray[np.float32]
    factors: NDArray[np.float32]

    def project(self, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scale tokens.

        Args:
            tokens: (..., D) float32.

        Returns:
            (..., D) float32.
        """
        return (tokens - self.mean) * self.factors

    def restore(self, projected: NDArray[np.float32]) -> NDArray[np.float32]:
        """Undo ``project``; a column that never changes gets its mean."""
        deviations = np.divide(1, self.factors, out=np.zeros_like(self.factors), where=self.factors > 0)
        return projected * deviations + self.mean

    @property
    def matrix(self) -> NDArray[np.float32]:
        """What the tokens less their mean are multiplied by: (D, D) float32."""
        return np.diag(self.factors)


TokenProjection = TokenPca | TokenScaling


def fit_token_scaling(tokens: NDArray[np.float32]) -> TokenScaling:
    """Find mean and deviation of each column of tokens.

    Args:
        tokens: (M, D) float32.
    """
    wide = tokens.astype(np.float64)
    deviation = wide.std(axis=0)
    varies = deviation > 1e-6 * max(float(deviation.max()), 1e-12)
    factors = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
    return TokenScaling(wide.mean(axis=0).astype(np.float32), factors.astype(np.float32))


def fit_token_pca(tokens: NDArray[np.float32], *, dim: int) -> TokenPca:
    """Find the principal components of tokens.

    Args:
        tokens: (M, D) float32.
        dim: components to keep, 1 to D.

    Raises:
        ConfigError: if ``dim`` is out of range.
    """
    width = tokens.shape[1]
    if not 1 <= dim <= width:
        raise ConfigError(f"codec.pca_dim must be 1 to the width of a token, {width}, got {dim}")
    wide = tokens.astype(np.float64)
    mean = wide.mean(axis=0)
    _, vectors = np.linalg.eigh((wide - mean).T @ (wide - mean))
    components = vectors[:, ::-1].T[:dim]
    # Either sign is a solution; this one does not depend on the solver.
    largest = np.abs(components).argmax(axis=1)
    components = components * np.sign(components[np.arange(dim), largest])[:, None]
    return TokenPca(mean.astype(np.float32), np.ascontiguousarray(components, np.float32))


def save_projections(path: Path, projections: Sequence[TokenProjection]) -> None:
    """Write projections with a checksum; a crash leaves nothing or all.

    Raises:
        OSError: if the file cannot be written.
    """
    from safetensors.numpy import save

    arrays = {}
    for number, projection in enumerate(projections):
        for entry in fields(projection):
            # The format takes arrays as they lie in memory.
            arrays[f"{entry.name}.{number}"] = np.ascontiguousarray(getattr(projection, entry.name))
    write_file(path, save(arrays, metadata={"sha256": _digest(arrays)}))


def load_projections(path: Path) -> tuple[TokenProjection, ...]:
    """Read projections.

    Raises:
        FeatureStoreError: if the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dictionary)
            expected = (file.metadata() or {}).get("sha256")
    except (SafetensorError, OSError, ValueError) as error:
        raise FeatureStoreError(f"{path} cannot be read ({error}): delete {path.parent}") from error
    if expected != _digest(arrays):
        raise FeatureStoreError(f"{path} was altered: delete {path.parent}")
    kind, second = (TokenPca, "components") if "components.0" in arrays else (TokenScaling, "factors")
    return tuple(kind(arrays[f"mean.{n}"], arrays[f"{second}.{n}"]) for n in range(len(arrays) // 2))


def _digest(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def fold_into_head(
    spec: HeadSpec, arrays: Arrays, projections: Sequence[TokenProjection]
) -> tuple[HeadSpec, dict[str, NDArray[np.float32]]]:
    """Turn a head of projected tokens into the same head of the tokens themselves.

    Args:
        spec: of a head that reads projected tokens.
        arrays: its weights by name.
        projections: one a token scale.

    Returns:
        Spec and weights of a head that gives the same embeddings up to rounding.

    Raises:
        ConfigError: if the head has one scale whose tokens are as wide as its attention: it has no place for them.
    """
    folded = replace(spec, token_dims=tuple(len(projection.mean) for projection in projections))
    if not folded.projects_tokens:
        raise ConfigError(
            f"head.width {spec.width} is the width of the backbone's tokens, so there is no projection to take "
            "codec.pca_dim or codec.standardise in: choose another width"
        )
    changed = dict(arrays)
    for number, projection in enumerate(projections):
        name = f"scales.{number}"
        weight = arrays[f"{name}.weight"] if spec.projects_tokens else np.eye(spec.width, dtype=np.float32)
        bias = arrays[f"{name}.bias"] if spec.projects_tokens else np.zeros(spec.width, np.float32)
        whole = weight.astype(np.float64) @ projection.matrix.astype(np.float64)
        changed[f"{name}.weight"] = whole.astype(np.float32)
        changed[f"{name}.bias"] = (bias - whole @ projection.mean.astype(np.float64)).astype(np.float32)
    return folded, changed
