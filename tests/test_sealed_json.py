"""Documents that know when they were altered."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_search.sealed_json import read_sealed, seal, unseal

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text().filter(lambda key: key != "sha256"), VALUES, max_size=5))
def test_what_is_sealed_comes_back(content: dict[str, object]) -> None:
    assert unseal(seal(content)) == content


def test_any_flipped_bit_is_noticed_or_changes_nothing() -> None:
    content = {"name": "crate", "sizes": [1, 2.5], "nested": {"a": None}}
    sealed = seal(content)
    for place in range(len(sealed)):
        for bit in range(8):
            damaged = sealed[:place] + bytes([sealed[place] ^ (1 << bit)]) + sealed[place + 1 :]
            try:
                found = unseal(damaged)
            except ValueError:
                continue
            assert found == content


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"{", b"\xff", b'{"sha256": "00"}'])
def test_what_was_never_sealed_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        unseal(text)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1, 2}, b"bytes"])
def test_what_json_lacks_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        seal({"value": value})


def test_a_file_that_is_not_there_is_none_and_one_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "sealed.json"
    assert read_sealed(path) is None
    assert read_sealed(path / "below") is None
    path.write_bytes(seal({"answer": 42}))
    assert read_sealed(path) == {"answer": 42}
    assert read_sealed(path / "below") is None
    path.write_bytes(path.read_bytes().replace(b"42", b"43"))
    with pytest.raises(ValueError, match=r"^was altered since it was written"):
        read_sealed(path)
    with pytest.raises(ValueError, match=r"^cannot be read "):
        read_sealed(tmp_path)
