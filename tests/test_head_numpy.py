"""The NumPy head gives what the textbook's and the torch head give, and each image the same bits whatever its batch."""

from typing import Any

import numpy as np
import pytest
import torch
from head_cases import PAPER, SPECS, random_arrays, random_tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from textbook_head import embed_by_the_book

from nearid_search.errors import ShapeError
from nearid_search.head import MapHead
from nearid_search.head_numpy import attention, embed, pool, pool_parts
from nearid_search.head_spec import HeadSpec


@st.composite
def specs(draw: st.DrawFn) -> HeadSpec:
    num_heads = draw(st.integers(1, 4))
    sizes = st.integers(1, 40)
    return HeadSpec(
        token_dims=tuple(draw(st.lists(sizes, min_size=1, max_size=3))),
        width=num_heads * draw(st.integers(1, 10)),
        num_heads=num_heads,
        num_probes=draw(st.integers(1, 4)),
        mlp_dim=draw(sizes),
        out_dim=draw(st.integers(4, 40)),
        activation=draw(st.sampled_from(["gelu", "gelu_tanh"])),
        nonlinear_tokens=draw(st.booleans()),
    )


@settings(deadline=None, max_examples=40)
@given(specs(), st.integers(0, 2**32 - 1))
def test_it_equals_the_textbook_and_the_torch_head(spec: HeadSpec, seed: int) -> None:
    # Weights as a trained head has them: Xavier matrices, with biases that matter.
    rng = np.random.default_rng(seed)
    arrays = MapHead(spec, seed=seed).to_arrays()
    arrays |= {name: a + rng.normal(0, 0.3, a.shape).astype(np.float32) for name, a in arrays.items() if a.ndim == 1}
    tokens = random_tokens(spec, seed=seed)
    with torch.inference_mode():
        expected = MapHead.from_arrays(spec, arrays)([torch.from_numpy(scale) for scale in tokens]).numpy()
    found = embed(spec, arrays, tokens)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(found, embed_by_the_book(spec, arrays, tokens), atol=1e-5)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_it_equals_the_textbook_head_where_attention_is_sharp(spec: HeadSpec) -> None:
    arrays, tokens = random_arrays(spec), random_tokens(spec)
    np.testing.assert_allclose(embed(spec, arrays, tokens), embed_by_the_book(spec, arrays, tokens), atol=1e-5)


def test_it_equals_the_torch_head_at_the_papers_size() -> None:
    arrays, tokens = MapHead(PAPER, seed=1).to_arrays(), random_tokens(PAPER, batch=2)
    with torch.inference_mode():
        head = MapHead.from_arrays(PAPER, arrays)
        expected = head([torch.from_numpy(scale) for scale in tokens]).numpy()
    np.testing.assert_allclose(embed(PAPER, arrays, tokens), expected, atol=1e-5)
    np.testing.assert_allclose(embed(PAPER, arrays, tokens), embed_by_the_book(PAPER, arrays, tokens), atol=1e-5)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_an_images_bits_do_not_depend_on_its_batch(spec: HeadSpec) -> None:
    arrays, tokens = random_arrays(spec), random_tokens(spec)
    whole = embed(spec, arrays, tokens)
    for rows in ([0], [4, 2], [3, 3, 1, 0]):
        np.testing.assert_array_equal(embed(spec, arrays, [scale[rows] for scale in tokens]), whole[rows])
    np.testing.assert_array_equal(embed(spec, arrays, [scale[::-2] for scale in tokens]), whole[::-2])
    np.testing.assert_array_equal(embed(spec, arrays, [np.asfortranarray(scale) for scale in tokens]), whole)
    wide = [np.concatenate([scale, scale], axis=2)[:, :, : scale.shape[2]] for scale in tokens]
    np.testing.assert_array_equal(embed(spec, arrays, wide), whole)


def test_embeddings_are_unit_rows_of_what_was_pooled() -> None:
    spec = SPECS["three-scales"]
    arrays, tokens = random_arrays(spec), random_tokens(spec)
    pooled, embeddings = pool(spec, arrays, tokens), embed(spec, arrays, tokens)
    assert {pooled.dtype, embeddings.dtype} == {np.dtype(np.float32)}
    np.testing.assert_allclose(embeddings, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), atol=1e-6)
    assert embed(spec, arrays, [scale[:0] for scale in tokens]).shape == (0, spec.out_dim)


def test_far_logits_do_not_overflow() -> None:
    spec = SPECS["like-siglip"]
    tokens = [1e4 * scale for scale in random_tokens(spec)]
    assert np.isfinite(embed(spec, random_arrays(spec), tokens)).all()


def test_tokens_of_another_shape_are_refused() -> None:
    spec = SPECS["two-scales-four-probes"]
    left, right = random_tokens(spec)
    for refused in ([left], [right, left], [left, right[:3]], [left[0], right[0]], [left[:, :0], right]):
        with pytest.raises(ShapeError, match=r"tokens must be 2 scales \(B, N, 16\), \(B, N, 9\)"):
            embed(spec, random_arrays(spec), refused)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_attention_is_the_torch_heads(spec: HeadSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays, tokens = random_arrays(spec), random_tokens(spec)
    seen: list[torch.Tensor] = []
    split = torch.split

    def overheard(weights: torch.Tensor, *sizes: Any, **options: Any) -> Any:
        seen.append(weights)
        return split(weights, *sizes, **options)

    monkeypatch.setattr(torch, "split", overheard)
    with torch.inference_mode():
        MapHead.from_arrays(spec, arrays)([torch.from_numpy(scale) for scale in tokens])
    found = attention(spec, arrays, tokens)
    assert [share.shape for share in found] == [scale.shape[:2] for scale in tokens]
    np.testing.assert_allclose(np.concatenate(found, axis=1), seen[0].mean(dim=1).numpy(), atol=1e-5)
    np.testing.assert_allclose(np.concatenate(found, axis=1).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_part_pools_like_a_picture_that_has_no_other_tokens(spec: HeadSpec) -> None:
    arrays, tokens = random_arrays(spec), random_tokens(spec, batch=1)
    rng = np.random.default_rng(3)
    kept = [rng.random((70, scale.shape[1])) < 0.6 for scale in tokens]
    for part in kept:
        part[0] = True  # nothing is left out
        part[:, 0] = True  # a scale without a token is no picture
    scales = [scale[0] for scale in tokens]
    found = pool_parts(spec, arrays, scales, kept)
    for row in (0, 1, 69):
        left = [scale[part[row]][None] for scale, part in zip(scales, kept, strict=True)]
        np.testing.assert_allclose(found[row], pool(spec, arrays, left)[0], rtol=1e-4, atol=1e-4)


def test_a_part_without_a_token_is_refused() -> None:
    spec = SPECS["like-siglip"]
    (tokens,) = random_tokens(spec, batch=1)
    with pytest.raises(ShapeError, match="kept must name tokens of every scale, and some in each row"):
        pool_parts(spec, random_arrays(spec), [tokens[0]], [np.zeros((1, 7), np.bool_)])
    with pytest.raises(ShapeError, match="kept must name tokens of every scale"):
        pool_parts(spec, random_arrays(spec), [tokens[0]], [np.ones((1, 5), np.bool_)])
