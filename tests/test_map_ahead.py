"""Results come in order, errors at their place, and no more is in flight than allowed."""

import threading
from collections.abc import Iterator

import pytest

from nearid_search.map_ahead import map_ahead


@pytest.mark.parametrize("threads", [0, 1, 5])
@pytest.mark.parametrize("ahead", [1, 3, 100])
def test_the_order_is_that_of_the_items(threads: int, ahead: int) -> None:
    assert list(map_ahead(str, range(20), threads=threads, ahead=ahead)) == [str(number) for number in range(20)]


def test_no_items() -> None:
    assert list(map_ahead(str, [])) == []


def test_items_are_taken_only_so_far_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(50):
            taken.append(number)
            yield number

    results = map_ahead(str, items(), threads=2, ahead=4)
    for number in range(10):
        assert next(results) == str(number)
        assert len(taken) == number + 4
    results.close()
    assert len(taken) == 13


def test_they_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=30)
    assert len(list(map_ahead(lambda _: both.wait(), range(2), threads=2, ahead=2))) == 2


def test_an_error_is_raised_at_its_place() -> None:
    results = map_ahead(lambda number: 6 // number, [3, 2, 0, 1], threads=2, ahead=4)
    assert [next(results), next(results)] == [2, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)
