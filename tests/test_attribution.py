"""What a region carries is what the score falls by when its tokens are not pooled, whatever the grids."""

import numpy as np
import pytest
from head_cases import random_arrays

from nearid_search.attribution import PatchGrid, TokenView, squeeze
from nearid_search.head_file import HeadManifest, LoadedHead
from nearid_search.head_numpy import embed
from nearid_search.head_spec import HeadSpec
from nearid_search.similarity import unit_rows

SPEC = HeadSpec(token_dims=(6, 5), width=8, num_heads=2, num_probes=2, mlp_dim=12, out_dim=7)
MANIFEST = HeadManifest(
    spec=SPEC,
    backbone="toy",
    backbone_weights="toy",
    data_hash="0" * 64,
    split_sizes={},
    seed=0,
    created_at="2026-01-01T00:00:00+00:00",
    made_by="0.1.0",
)
GRID = PatchGrid.of([16, 4])


@pytest.fixture
def view() -> TokenView:
    assert GRID is not None
    rng = np.random.default_rng(1)
    scales = (rng.normal(size=(16, 6)).astype(np.float32), rng.normal(size=(4, 5)).astype(np.float32))
    return TokenView(LoadedHead(SPEC, random_arrays(SPEC), MANIFEST, "toy"), scales, GRID)


def score(view: TokenView, kept: list[list[int]], target: np.ndarray) -> float:
    left = [scale[tokens][None] for scale, tokens in zip(view.scales, kept, strict=True)]
    return float(embed(SPEC, view.head.arrays, left)[0].astype(np.float64) @ target)


def test_a_region_carries_what_the_score_falls_by_without_it(view: TokenView) -> None:
    target = unit_rows(np.random.default_rng(2).normal(size=(1, 7)))[0]
    whole = score(view, [list(range(16)), list(range(4))], target)
    drops = view.drops(target)
    assert drops.shape == (4, 4)
    for row in range(4):
        for column in range(4):
            fine = [token for token in range(16) if token != 4 * row + column]
            coarse = [token for token in range(4) if token != 2 * (row // 2) + column // 2]
            assert drops[row, column] == pytest.approx(whole - score(view, [fine, coarse], target), abs=1e-5)


def test_only_tokens_wholly_inside_are_kept(view: TokenView) -> None:
    left_half = np.tile([True, True, False, False], 4)
    spoilt = left_half.copy()
    spoilt[0] = False
    fine, coarse = view.grid.kept(np.stack([left_half, spoilt]))
    assert fine.tolist() == [left_half.tolist(), spoilt.tolist()]
    assert coarse.tolist() == [[True, False, True, False], [False, False, True, False]]


def test_attention_is_spread_over_the_regions_and_sums_to_one(view: TokenView) -> None:
    shares = view.attention()
    assert shares.sum() == pytest.approx(1)
    attended = view.attended()
    assert attended.shape == (4, 4)
    inside, outside = shares[attended.ravel()], shares[~attended.ravel()]
    assert inside.min() >= outside.max()
    assert inside.sum() >= 0.5 > inside.sum() - inside.min()


def test_where_everything_looks_the_same_no_region_is_missed(view: TokenView) -> None:
    fine, coarse = view.scales
    same = TokenView(view.head, (np.repeat(fine[1:2], 16, 0), np.repeat(coarse[1:2], 4, 0)), view.grid)
    drops = same.drops(embed(SPEC, view.head.arrays, [scale[None] for scale in view.scales])[0])
    np.testing.assert_allclose(drops, drops[0, 0], atol=1e-5)


def test_tokens_that_are_no_square_have_no_grid() -> None:
    assert PatchGrid.of([16, 5]) is None


def test_squeezing_averages() -> None:
    values = np.array([[True, True, False, False], [False, False, False, True]])
    assert squeeze(values, 2).tolist() == [[1, 0], [0, 0.5]]
