"""Neighbours against an obvious loop, and batches that hold each identity once."""

import numpy as np
import pytest
from embeddings import random_rows

from nearid_search.trainer.hard_negatives import fill_batch, nearest_identities


@pytest.mark.parametrize("k", [1, 3, 50])
def test_neighbours_are_the_nearest_centres(k: int) -> None:
    views = [random_rows(number, 1 + number % 3, 8) for number in range(12)]
    centres = [rows.sum(axis=0) / np.linalg.norm(rows.sum(axis=0)) for rows in views]
    found = nearest_identities(views, k=k)
    assert found.shape == (12, min(k, 11))
    for number, row in enumerate(found.tolist()):
        others = sorted((other for other in range(12) if other != number), key=lambda o: -centres[number] @ centres[o])
        assert row == others[:k]


def test_twins_are_each_others_neighbour() -> None:
    one, other = random_rows(0, 1, 8), random_rows(1, 1, 8)
    assert nearest_identities([one, one, other, one], k=2).tolist() == [[1, 3], [0, 3], [0, 1], [0, 1]]


NEIGHBOURS = np.array([[1, 2], [0, 2], [1, 3], [4, 2], [3, 5], [4, 3]])


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, [0, 5, 2, 3]), (0.25, [0, 5, 2, 1]), (0.5, [0, 5, 1, 4]), (0.9, [0, 1, 2, 5])]
)
def test_the_end_of_a_batch_is_filled_with_neighbours(share: float, expected: list[int]) -> None:
    assert fill_batch(np.array([0, 5, 2, 3]), NEIGHBOURS, share=share).tolist() == expected
