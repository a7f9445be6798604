import numpy as np
import pytest
from lookalikes import VIEWS, make_lookalikes

from nearid_search.similarity import top_k


def test_a_larger_gallery_begins_with_a_smaller_one_and_the_seed_decides() -> None:
    small, large, other = (
        make_lookalikes(rows, 16, queries=4, seed=seed) for rows, seed in ((40, 1), (60, 1), (40, 2))
    )
    np.testing.assert_array_equal(small.gallery, large.gallery[:40])
    assert not np.array_equal(small.gallery, other.gallery)
    assert small.codes.tolist() == [number // VIEWS for number in range(40)]
    np.testing.assert_allclose(np.linalg.norm(small.gallery, axis=1), 1, atol=1e-6)


def test_a_smaller_offset_is_harder_and_wrong_answers_are_of_the_same_kind() -> None:
    shares = []
    for offset in (0.3, 1.5):
        drawn = make_lookalikes(4_000, 64, queries=200, offset=offset)
        found = drawn.codes[top_k(drawn.queries, drawn.gallery, k=1)[1][:, 0]]
        shares.append(float((found == drawn.query_codes).mean()))
        assert (found // 100 == drawn.query_codes // 100).mean() > 0.95
    assert shares[0] < 0.6 < 0.95 < shares[1]


@pytest.mark.parametrize(("rows", "queries"), [(45, 1), (40, 0), (40, 5)])
def test_numbers_that_do_not_fit_are_refused(rows: int, queries: int) -> None:
    with pytest.raises(ValueError, match="rows must be a multiple of 10"):
        make_lookalikes(rows, 8, queries=queries)
