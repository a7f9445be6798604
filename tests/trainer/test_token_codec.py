"""What the codecs lose, and that they lose nothing else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from nearid_search.errors import ConfigError
from nearid_search.trainer.token_codec import TokenCodec


def make_tokens(seed: int, num_tokens: int = 7, dim: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((num_tokens, dim), np.float32)


def round_trip(codec: TokenCodec, tokens: NDArray[np.float32], key: str = "k") -> NDArray[np.float32]:
    record = codec.encode(tokens, key=key)
    assert record.dtype == codec.record_dtype(*tokens.shape)
    decoded: NDArray[np.float32] = codec.decode(record[None], np.array([0]))[0]
    return decoded


def test_half_precision_is_off_by_half_a_unit_in_the_last_place_at_most() -> None:
    tokens = make_tokens(0)
    assert np.all(np.abs(round_trip(TokenCodec(), tokens) - tokens) <= np.abs(tokens) * 2.0**-11)


def test_eight_bits_are_off_by_half_a_step_of_the_token_at_most() -> None:
    tokens = make_tokens(1) * np.logspace(-3, 3, 7, dtype=np.float32)[:, None]
    half_steps = np.abs(tokens).max(axis=1, keepdims=True) / 254
    assert np.all(np.abs(round_trip(TokenCodec(dtype="int8"), tokens) - tokens) <= half_steps * 1.001)


def test_small_columns_beside_large_ones_keep_their_own_step() -> None:
    tokens = make_tokens(4, dim=300)
    tokens[:, :128] *= 1000
    lost = np.abs(round_trip(TokenCodec(dtype="int8"), tokens) - tokens)
    for columns in (slice(0, 128), slice(128, 256), slice(256, 300)):
        half_steps = np.abs(tokens[:, columns]).max(axis=1, keepdims=True) / 254
        assert np.all(lost[:, columns] <= half_steps * 1.001)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_zeros_stay_zeros(dtype: str) -> None:
    assert not round_trip(TokenCodec(dtype=dtype), np.zeros((3, 4), np.float32)).any()  # type: ignore[arg-type]


def test_values_beyond_half_precision_stay_finite() -> None:
    assert round_trip(TokenCodec(), np.full((1, 2), 1e6, np.float32)).tolist() == [[65504, 65504]]


def test_a_few_tokens_are_some_of_all_and_depend_on_the_key_alone() -> None:
    tokens = make_tokens(2, num_tokens=40)
    codec = TokenCodec(max_tokens=6)
    kept = round_trip(codec, tokens, "one")
    assert kept.shape == (6, 5)
    rows = [int(np.abs(tokens - token).sum(axis=1).argmin()) for token in kept]
    assert rows == sorted(set(rows))
    assert np.array_equal(kept, round_trip(codec, tokens, "one"))
    assert not np.array_equal(kept, round_trip(codec, tokens, "two"))


def test_more_tokens_than_there_are_keeps_all() -> None:
    tokens = make_tokens(3)
    assert np.array_equal(round_trip(TokenCodec(max_tokens=99), tokens), round_trip(TokenCodec(), tokens))


@pytest.mark.parametrize(
    "options", [{"dtype": "float64"}, {"max_tokens": 0}, {"pca_dim": 4, "standardise": True}], ids=str
)
def test_unknown_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"float64|0|exclude each other"):
        TokenCodec(**options)  # type: ignore[arg-type]
