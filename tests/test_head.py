"""The torch head: its size, its seed, its attention against torch's own, and the pool it can begin as."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from head_cases import PAPER, SPECS, random_arrays, random_tokens
from open_clip.timm_model import TimmModel
from timm.layers.activations import GELU, GELUTanh
from timm.layers.attention_pool import AttentionPoolLatent
from torch.nn import functional

from nearid_search.backbones.attention_pool import find_pool, init_from_pool, spec_of_pool
from nearid_search.backbones.open_clip_towers import read_tower
from nearid_search.errors import ConfigError, ShapeError, WeightsError
from nearid_search.head import MapHead
from nearid_search.head_spec import HeadSpec

SMALL = SPECS["like-siglip"]
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)


def tokens_for(spec: HeadSpec, dtype: torch.dtype = torch.float32, batch: int = 5) -> list[torch.Tensor]:
    return [torch.from_numpy(scale).to(dtype) for scale in random_tokens(spec, batch)]


def textbook_pool(head: MapHead, tokens: Sequence[torch.Tensor]) -> torch.Tensor:
    """The same pool with a key and a value for every token, by torch's own multi-head attention."""
    scales = [scale(part) for scale, part in zip(head.scales, tokens, strict=True)] if head.scales else tokens
    approximate = "none" if head.spec.activation == "gelu" else "tanh"
    joined = torch.cat(list(scales), dim=1)
    if head.spec.nonlinear_tokens:
        joined = functional.gelu(joined, approximate=approximate)
    maps = (head.query, head.key, head.value)
    in_weight, in_bias = torch.cat([linear.weight for linear in maps]), torch.cat([linear.bias for linear in maps])
    query, key = head.probes[:, None].expand(-1, len(joined), -1), joined.transpose(0, 1)
    attended = functional.multi_head_attention_forward(
        query=query,
        key=key,
        value=key,
        embed_dim_to_check=head.spec.width,
        num_heads=head.spec.num_heads,
        in_proj_weight=in_weight,
        in_proj_bias=in_bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=head.attention.weight,
        out_proj_bias=head.attention.bias,
    )[0].transpose(0, 1)
    normed = functional.layer_norm(attended, attended.shape[-1:], head.norm.weight, head.norm.bias, eps=1e-6)
    hidden = functional.gelu(head.mlp_in(normed), approximate=approximate)
    flat = (attended + head.mlp_out(hidden)).reshape(len(joined), -1)
    pooled: torch.Tensor = flat if head.output is None else head.output(flat)
    return pooled


def random_pool(**options: Any) -> AttentionPoolLatent:
    """A pool of timm's as SigLIP has it, with weights large enough for every part to matter."""
    norm = lambda width, **rest: torch.nn.LayerNorm(width, eps=1e-6, **rest)  # noqa: E731
    pool = AttentionPoolLatent(24, **{"num_heads": 4, "norm_layer": norm, "act_layer": torch.nn.GELU, **options})
    generator = torch.Generator().manual_seed(3)
    for parameter in pool.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return pool


def test_the_papers_head_has_its_published_number_of_parameters() -> None:
    assert PAPER.num_parameters == 15_238_352
    assert sum(parameter.numel() for parameter in MapHead(PAPER).parameters()) == 15_238_352


@each_spec
def test_arrays_are_the_ones_the_spec_lists_and_come_back(spec: HeadSpec) -> None:
    head = MapHead(spec)
    assert {name: array.shape for name, array in head.to_arrays().items()} == spec.array_shapes()
    arrays = random_arrays(spec)
    loaded = MapHead.from_arrays(spec, arrays).to_arrays()
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)


@each_spec
def test_the_pool_is_textbook_attention(spec: HeadSpec) -> None:
    head = MapHead.from_arrays(spec, random_arrays(spec)).double()
    tokens = tokens_for(spec, torch.float64)
    torch.testing.assert_close(head.pool(tokens), textbook_pool(head, tokens), atol=1e-10, rtol=1e-10)


@each_spec
def test_gradients_are_those_of_textbook_attention(spec: HeadSpec) -> None:
    head = MapHead.from_arrays(spec, random_arrays(spec)).double()
    tokens = tokens_for(spec, torch.float64)
    folded = torch.autograd.grad(head.pool(tokens).sin().sum(), list(head.parameters()))
    expected = torch.autograd.grad(textbook_pool(head, tokens).sin().sum(), list(head.parameters()))
    for (name, _), left, right in zip(head.named_parameters(), folded, expected, strict=True):
        torch.testing.assert_close(left, right, atol=1e-9, rtol=1e-9, msg=name)


@each_spec
def test_embeddings_are_unit_rows_of_float32(spec: HeadSpec) -> None:
    head = MapHead(spec)
    for dtype in (torch.float32, torch.float16, torch.float64):
        embeddings = head(tokens_for(spec, dtype))
        assert (embeddings.shape, embeddings.dtype) == ((5, spec.out_dim), torch.float32)
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(5))
    assert head(tokens_for(spec, batch=0)).shape == (0, spec.out_dim)


def test_a_seed_decides_the_weights_and_the_global_generator_stays_out_of_it() -> None:
    spec = SPECS["two-scales-four-probes"]
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = MapHead(spec, seed=5).to_arrays()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    again, other = MapHead(spec, seed=5).to_arrays(), MapHead(spec, seed=6).to_arrays()
    for name, array in first.items():
        np.testing.assert_array_equal(again[name], array)
        drawn = name == "probes" or array.ndim == 2
        assert np.array_equal(other[name], array) != drawn, name


@pytest.mark.parametrize(
    ("architecture", "size", "activation"),
    [("vit_base_patch16_siglip_224", 224, "gelu"), ("vit_base_patch32_siglip_256", 256, "gelu_tanh")],
)
def test_a_siglip_towers_pool_is_where_a_head_can_begin(architecture: str, size: int, activation: str) -> None:
    torch.manual_seed(0)
    tower: Any = TimmModel(architecture, 768, image_size=size, pool="map", proj="none").eval()
    read_tokens, read_pooled = read_tower(tower, architecture)
    pool = find_pool(tower)
    head = MapHead(spec_of_pool(pool))
    assert head.spec.activation == activation
    init_from_pool(head, pool)
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        expected = tower(pixels)
        assert expected.std() > 0.01
        torch.testing.assert_close(head.pool(read_tokens(pixels)), expected, atol=1e-5, rtol=0)
        torch.testing.assert_close(read_pooled(pixels), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("act_layer", [torch.nn.GELU, partial(torch.nn.GELU, "tanh"), GELU, GELUTanh])
def test_every_weight_of_a_pool_is_copied(act_layer: type[torch.nn.Module]) -> None:
    pool = random_pool(act_layer=act_layer)
    head = MapHead(spec_of_pool(pool))
    init_from_pool(head, pool)
    tokens = torch.randn(3, 11, 24, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(head.pool([tokens]), pool(tokens), atol=1e-5, rtol=1e-5)


def test_a_pool_in_half_precision_begins_a_head_in_float32() -> None:
    pool = random_pool().bfloat16()
    head = MapHead(spec_of_pool(pool))
    init_from_pool(head, pool)
    assert {parameter.dtype for parameter in head.parameters()} == {torch.float32}
    assert torch.equal(head.value.weight, pool.kv.weight[24:].float())


def test_further_probes_and_the_output_keep_their_seed() -> None:
    pool = random_pool()
    spec = spec_of_pool(pool, num_probes=3, out_dim=6)
    head, seeded = MapHead(spec, seed=4), MapHead(spec, seed=4)
    init_from_pool(head, pool)
    assert torch.equal(head.probes[0], pool.latent[0, 0])
    assert torch.equal(head.probes[1:], seeded.probes[1:])
    assert head.output is not None
    assert seeded.output is not None
    assert torch.equal(head.output.weight, seeded.output.weight)


def test_a_head_of_other_sizes_cannot_begin_as_the_pool() -> None:
    pool = random_pool()
    for change in ({"num_heads": 2}, {"mlp_dim": 50}, {"activation": "gelu_tanh"}, {"token_dims": (24, 24)}):
        head = MapHead(replace(spec_of_pool(pool), **change))
        with pytest.raises(ConfigError, match="cannot begin as this backbone's attention pool"):
            init_from_pool(head, pool)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pos_embed": "abs", "feat_size": 9}, "position embeddings"),
        ({"latent_len": 2}, "2 probes"),
        ({"q_proj": False}, "no query projection"),
        ({"qkv_bias": False}, "no biases"),
        ({"qk_norm": True}, "normalised keys"),
        ({"out_features": 12}, "another width"),
        ({"norm_layer": None}, "another norm"),
        ({"norm_layer": torch.nn.LayerNorm}, "another norm"),
        ({"act_layer": torch.nn.SiLU}, "another activation"),
        ({"out_features": 0}, "another activation"),
    ],
)
def test_a_pool_that_computes_something_else_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"it has .*{reason}.*: start from a seed"):
        spec_of_pool(random_pool(**options))


def test_a_network_without_a_pool_has_none() -> None:
    assert find_pool(torch.nn.Sequential(torch.nn.Linear(2, 2))) is None


def test_tokens_of_another_shape_are_refused() -> None:
    head = MapHead(SPECS["two-scales-four-probes"])
    left, right = tokens_for(head.spec)
    for refused in ([left], [right, left], [left, right[:3]], [left[0], right[0]], [left[:, :0], right]):
        with pytest.raises(ShapeError, match=r"tokens must be 2 scales \(B, N, 16\), \(B, N, 9\)"):
            head(refused)


def test_weights_that_do_not_fit_are_refused() -> None:
    arrays = random_arrays(SMALL)
    with pytest.raises(WeightsError, match=r"'key\.bias' is missing; expected shape \(24,\)"):
        MapHead.from_arrays(SMALL, {name: array for name, array in arrays.items() if name != "key.bias"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token_dims": ()}, "at least one token scale"),
        ({"token_dims": [24]}, "at least one token scale"),
        ({"token_dims": (24, 0)}, r"token_dims\[1\] must be a whole number of at least 1, got 0"),
        ({"width": 24.0}, "width must be a whole number"),
        ({"num_probes": True}, "num_probes must be a whole number"),
        ({"mlp_dim": -1}, "mlp_dim must be"),
        ({"num_heads": 5}, "width must be a multiple of num_heads, got 24 and 5"),
        ({"nonlinear_tokens": 1}, "nonlinear_tokens must be true or false, got 1"),
        ({"activation": "relu"}, "activation must be one of gelu_tanh, gelu, got 'relu'"),
    ],
)
def test_a_spec_out_of_range_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(SMALL, **change)


@each_spec
def test_a_spec_survives_its_dict(spec: HeadSpec) -> None:
    assert HeadSpec.from_dict(spec.as_dict()) == spec


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**SMALL.as_dict(), "depth": 2}, "no field 'depth'; its fields: activation"),
        ({"token_dims": [3]}, "needs the field 'mlp_dim'"),
        ({**SMALL.as_dict(), "token_dims": 24}, "must be a list of widths, got 24"),
    ],
)
def test_a_dict_that_is_no_spec_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        HeadSpec.from_dict(values)
