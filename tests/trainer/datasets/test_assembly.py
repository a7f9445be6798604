"""Numbers of views."""

import pytest

from nearid_search.trainer.datasets.assembly import number_views


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["1", "2", "3"], {"1": 1, "2": 2, "3": 3}),
        (["3", "1"], {"1": 1, "3": 3}),
        (["010", "9"], {"9": 9, "010": 10}),
        (["0", "1", "2"], {"0": 1, "1": 2, "2": 3}),
        (["view10", "view9"], {"view9": 1, "view10": 2}),
        (["10", "9", "front"], {"9": 1, "10": 2, "front": 3}),
        (["a²", "a1"], {"a1": 1, "a²": 2}),
        (["9" * 5000], {"9" * 5000: 1}),
        ([], {}),
    ],
)
def test_whole_numbers_are_kept_and_other_names_are_counted(names: list[str], numbers: dict[str, int]) -> None:
    assert number_views(names) == numbers
    assert list(number_views(names[::-1])) == list(numbers)
