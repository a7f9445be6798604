"""Margins: counted as the definitions say, ties lost, missing ones in no denominator."""

import math

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearid_search.errors import ShapeError
from nearid_search.eval.metrics import score_margins

NAN = float("nan")
TABLES = st.integers(0, 5).flatmap(
    lambda width: st.lists(
        st.lists(st.sampled_from([NAN, -1.0, -0.25, 0.0, 0.25, 1.0]), min_size=width, max_size=width), max_size=6
    ).map(lambda rows: np.array(rows, np.float64).reshape(len(rows), width))
)


@given(margins=TABLES)
def test_agrees_with_the_definitions(margins: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    found = score_margins(margins)
    expected = oracles.score_margins(margins.tolist())
    for name, value in expected.items():
        assert getattr(found, name) == value or (math.isnan(value) and math.isnan(getattr(found, name))), name


def test_by_hand() -> None:
    """Won 2 of 2, 1 of 2 (its mean lost), 0 of 1 by a tie, and a sample without margins."""
    scores = score_margins(np.array([[0.5, 0.1], [0.2, -0.3], [0.0, NAN], [NAN, NAN]]))
    assert (scores.ssr, scores.pa, scores.ssr_mean) == (1 / 3, 3 / 5, 1 / 3)
    assert scores.pa_reference == (3 + 1) / (5 + 3)
    assert (scores.n_samples, scores.n_margins, scores.n_dropped) == (3, 5, 1)


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (3, 0)])
def test_nothing_to_count(shape: tuple[int, int]) -> None:
    scores = score_margins(np.zeros(shape))
    assert math.isnan(scores.ssr)
    assert math.isnan(scores.pa)
    assert scores.n_dropped == shape[0]


@pytest.mark.parametrize("margins", [np.zeros(3), np.zeros((2, 2), np.int64)], ids=["1-d", "integers"])
def test_other_arrays_are_refused(margins: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    with pytest.raises(ShapeError, match=r"\(S, M\) float"):
        score_margins(margins)
