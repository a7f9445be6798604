"""Keys as arrays: sorted and found as Python would."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_search.indexer.search.row_keys import find_keys, key_array, key_order

# Many begin alike, as keys of a hash do not.
KEYS = st.lists(st.tuples(st.sampled_from("0af"), st.sampled_from(["", "1", "e" * 15]), st.integers(0, 40)))


def written(key: tuple[str, str, int]) -> str:
    first, middle, last = key
    return f"{first}{middle}".ljust(40, "7") + f"{last:024x}"


@given(KEYS, KEYS)
def test_they_are_sorted_and_found(present: list[tuple[str, str, int]], wanted: list[tuple[str, str, int]]) -> None:
    texts = list(dict.fromkeys(map(written, present)))
    keys = key_array(pa.array(texts, pa.string()))
    order = key_order(keys)
    assert [texts[row] for row in order] == sorted(texts)
    asked = list(map(written, wanted))
    found = find_keys(keys[order], key_array(pa.array(asked, pa.string())))
    assert found.tolist() == [sorted(texts).index(text) if text in texts else -1 for text in asked]


def test_columns_in_pieces_and_slices() -> None:
    texts = [f"{number:064x}" for number in range(7)]
    chunked = pa.chunked_array([texts[:2], texts[2:2], texts[2:]], pa.string())
    assert [bytes(key).decode() for key in key_array(chunked)] == texts
    assert [bytes(key).decode() for key in key_array(chunked.slice(1, 4))] == texts[1:5]
    assert key_array(pa.chunked_array([], pa.string())).shape == (0,)
    with pytest.raises(pa.ArrowInvalid):
        key_array(pa.array(["short"]))
    assert np.array_equal(key_order(key_array(pa.array([], pa.string()))), [])
