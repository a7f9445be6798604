"""Projections against NumPy's own statistics and decomposition, and a head that has taken them in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from head_cases import SPECS, random_arrays

from nearid_search.errors import ConfigError
from nearid_search.head_numpy import embed
from nearid_search.head_spec import HeadSpec
from nearid_search.trainer.token_projection import (
    TokenPca,
    TokenProjection,
    fit_token_pca,
    fit_token_scaling,
    fold_into_head,
    load_projections,
    save_projections,
)

Tokens = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def make_tokens(seed: int, count: int, dim: int) -> Tokens:
    rng = np.random.default_rng(seed)
    spread = np.logspace(0, -1, dim) @ np.diag(np.ones(dim))
    return (3 + rng.standard_normal((count, dim)) * spread).astype(np.float32)


def test_components_are_the_singular_vectors_of_the_centred_tokens() -> None:
    tokens = make_tokens(0, 200, 12)
    pca = fit_token_pca(tokens, dim=5)
    _, _, vectors = np.linalg.svd(tokens.astype(float) - tokens.astype(float).mean(axis=0), full_matrices=False)
    assert np.allclose(np.abs((pca.components * vectors[:5]).sum(axis=1)), 1, atol=1e-5)
    assert np.allclose(pca.components @ pca.components.T, np.eye(5), atol=1e-5)
    assert (np.take_along_axis(pca.components, np.abs(pca.components).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_all_components_keep_every_distance() -> None:
    tokens = make_tokens(1, 50, 8)
    projected = fit_token_pca(tokens, dim=8).project(tokens)
    distances = np.linalg.norm(tokens[:, None] - tokens, axis=2)
    assert np.allclose(np.linalg.norm(projected[:, None] - projected, axis=2), distances, atol=1e-4)


@pytest.mark.parametrize("dim", [0, 9])
def test_a_number_of_components_out_of_range(dim: int) -> None:
    with pytest.raises(ConfigError, match=f"pca_dim must be 1 to the width of a token, 8, got {dim}"):
        fit_token_pca(make_tokens(0, 20, 8), dim=dim)


def test_scaled_columns_have_mean_0_and_deviation_1_and_constant_ones_vanish() -> None:
    tokens = make_tokens(2, 300, 6) * np.array([1, 10, 100, 0.01, 1, 1], np.float32)
    tokens[:, 4] = 7
    scaled = fit_token_scaling(tokens).project(tokens)
    assert np.allclose(scaled.mean(axis=0), 0, atol=1e-3)
    assert np.allclose(scaled.std(axis=0), [1, 1, 1, 1, 0, 1], atol=1e-3)


@pytest.mark.parametrize("fit", [fit_token_scaling, lambda tokens: fit_token_pca(tokens, dim=2)])
def test_a_projection_read_again_is_what_was_saved(fit: Callable[[Tokens], TokenProjection], tmp_path: Path) -> None:
    projections = [fit(make_tokens(seed, 30, 5)) for seed in range(2)]
    save_projections(tmp_path / "projections", projections)
    found = load_projections(tmp_path / "projections")
    for read, projection in zip(found, projections, strict=True):
        assert type(read) is type(projection)
        assert np.array_equal(read.mean, projection.mean)
        assert np.array_equal(read.matrix, projection.matrix)


def test_a_head_that_took_the_scaling_in_gives_the_same() -> None:
    spec = SPECS["two-scales-four-probes"]
    tokens = [make_tokens(number, 5 * 7, dim).reshape(5, 7, dim) for number, dim in enumerate(spec.token_dims)]
    projections = [fit_token_scaling(scale.reshape(-1, scale.shape[2])) for scale in tokens]
    arrays = random_arrays(spec)
    expected = embed(spec, arrays, [one.project(scale) for one, scale in zip(projections, tokens, strict=True)])
    folded_spec, folded = fold_into_head(spec, arrays, projections)
    assert folded_spec == spec
    np.testing.assert_allclose(embed(spec, folded, tokens), expected, atol=2e-5)


@pytest.mark.parametrize("name", ["other-width", "like-siglip", "two-scales-four-probes"])
def test_a_head_that_took_the_projection_in_gives_the_same(name: str) -> None:
    spec = SPECS[name]
    projections, tokens = [], []
    for number, dim in enumerate(spec.token_dims):
        whole = make_tokens(number, 5 * 7, dim + 4)
        projections.append(fit_token_pca(whole, dim=dim))
        tokens.append(whole.reshape(5, 7, dim + 4))
    arrays = random_arrays(spec)
    expected = embed(spec, arrays, [pca.project(scale) for pca, scale in zip(projections, tokens, strict=True)])
    folded_spec, folded_arrays = fold_into_head(spec, arrays, projections)
    assert folded_spec.token_dims == tuple(dim + 4 for dim in spec.token_dims)
    folded_spec.check_arrays(folded_arrays, "folded")
    np.testing.assert_allclose(embed(folded_spec, folded_arrays, tokens), expected, atol=2e-5)


def test_a_head_without_room_for_the_projection() -> None:
    spec = HeadSpec(token_dims=(4,), width=8, num_heads=2, num_probes=1, mlp_dim=4, out_dim=4)
    pca = TokenPca(np.zeros(8, np.float32), np.eye(4, 8, dtype=np.float32))
    with pytest.raises(ConfigError, match=r"head\.width 8 is the width of the backbone's tokens"):
        fold_into_head(spec, random_arrays(spec), [pca])


def test_what_was_projected_comes_back_as_near_as_it_can() -> None:
    tokens = make_tokens(5, 60, 8)
    tokens[:, 3] = 2.5
    scaling, whole, few = fit_token_scaling(tokens), fit_token_pca(tokens, dim=8), fit_token_pca(tokens, dim=3)
    for projection in (scaling, whole):
        np.testing.assert_allclose(projection.restore(projection.project(tokens)), tokens, atol=1e-4)
    restored = few.restore(few.project(tokens))
    np.testing.assert_allclose(few.project(restored), few.project(tokens), atol=1e-4)
    assert np.linalg.norm(restored - tokens) < np.linalg.norm(tokens - tokens.mean(axis=0))
