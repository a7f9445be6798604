"""From new scores of images to an order of identities, and what a time budget leaves of it."""

import numpy as np

from nearid_search.ranking import RankedIdentity
from nearid_search.rerank.rung import Deadline, EmbeddingRung, Rescored, best_views, reorder
from nearid_search.rerank.shortlist import Shortlist


def ranked(*codes: int) -> list[RankedIdentity]:
    return [RankedIdentity(code, np.array([code]), np.array([0.5], np.float32)) for code in codes]


def rescored(*scored: tuple[int, float]) -> Rescored:
    return Rescored(
        np.array([code for code, _ in scored], np.int64), np.array([score for _, score in scored], np.float32)
    )


def order(plain: list[RankedIdentity], scores: Rescored) -> list[int]:
    return [identity.code for identity in reorder(plain, scores)]


def test_an_identity_counts_by_its_best_view() -> None:
    assert order(ranked(1, 2, 3), rescored((1, 0.3), (2, 0.2), (3, 0.1), (3, 0.4))) == [3, 1, 2]


def test_equals_stay_in_plain_order() -> None:
    assert order(ranked(4, 2, 9), rescored((9, 0.5), (2, 0.5), (4, 0.5))) == [4, 2, 9]


def test_who_was_not_looked_at_keeps_its_place() -> None:
    assert order(ranked(1, 2, 3, 4), rescored((4, 0.9), (1, 0.1))) == [4, 2, 3, 1]
    assert order(ranked(1, 2), rescored()) == [1, 2]
    assert order(ranked(1, 2), rescored((7, 1.0), (2, 0.1))) == [1, 2]


def test_the_best_views_of_each_come_in_turns() -> None:
    codes = np.array([5, 5, 3, 5, 3, 8, 9])
    empty = np.empty(0, np.float32)
    shortlist = Shortlist(empty, np.arange(7), empty, codes, empty[None])
    assert best_views(shortlist, identities=3, views=2).tolist() == [0, 2, 5, 1, 4]
    assert best_views(shortlist, identities=1, views=9).tolist() == [0, 1, 3]


def test_a_rung_whose_time_is_over_changes_nothing_and_says_so() -> None:
    empty = np.empty(0, np.float32)
    shortlist = Shortlist(empty, np.arange(2), empty, np.arange(2), empty[None])
    rung = EmbeddingRung(lambda _: np.array([0, 1], np.float32))
    assert rung(shortlist, (), Deadline(60_000)).scores.tolist() == [0, 1]
    late = rung(shortlist, (), Deadline(1e-9))
    assert (len(late.codes), late.remarks) == (0, ("stopped at its time budget of 1e-09 ms after 0 identities",))
