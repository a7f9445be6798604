"""Suggestions against a slow, obvious search, and that nothing people have answered is asked again."""

from pathlib import Path

import numpy as np
import pytest
from correction_cases import Vectors, made_gallery, things
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import score
from suggestion_oracle import duplicates, mixed, outliers

from nearid_search.config import SuggestConfig
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.suggestions import suggest_corrections
from nearid_search.indexer.review.view_groups import maximum_spanning_tree
from nearid_search.indexer.review.view_neighbours import draw_views


def pairs_suggested(gallery: Gallery) -> set[tuple[str, ...]]:
    """What is suggested about two identities; a view or two of so few may be outliers besides."""
    return {s.identities for s in suggest_corrections(gallery).found if s.kind != "outlier"}


def gallery_of(folder: Path, views: dict[str, Vectors]) -> Gallery:
    return made_gallery(folder, {name: len(rows) for name, rows in views.items()}, views=views)


@pytest.mark.parametrize("seed", range(3))
def test_everything_that_a_search_of_all_pairs_finds_is_suggested(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    views = {f"thing {n}": things(10 * seed + n // 2, int(rng.integers(1, 5)), noise=0.3) for n in range(12)}
    gallery = gallery_of(tmp_path / ".nearid", views)
    found = suggest_corrections(gallery, SuggestConfig(count=100, margin=0.1)).found
    wanted = duplicates(views, margin=0.1)
    assert {(s.identities, s.score) for s in found if s.kind == "duplicate"} == wanted
    pairs = {frozenset(names) for names, _ in wanted}
    suspects = [suspect for suspect in mixed(views) if frozenset(suspect[0]) not in pairs]
    for suspect in sorted(suspects, key=lambda suspect: suspect[1] - suspect[2]):
        if sum(frozenset(suspect[0]) == frozenset(other[0]) for other in suspects) > 1:
            suspects.remove(suspect)
    assert {(s.identities, s.score, s.own) for s in found if s.kind == "mixed"} == set(suspects)
    astray = {picture.key for s in found if s.kind == "mixed" for picture in s.pictures[:-1]}
    alone = [s for s in found if s.kind == "outlier"]
    assert not astray & {s.pictures[0].key for s in alone}
    assert {(s.identities[0], s.score) for s in alone} <= outliers(views)
    assert len(alone) >= len(outliers(views)) - len(astray)
    assert [s.strength for s in found] == sorted((s.strength for s in found), reverse=True)
    assert wanted


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    """``cup`` and ``mug`` are one thing, two pictures of ``jug`` show the pan, one of ``pot`` shows the hat."""
    monkeypatch.chdir(tmp_path)
    views = {
        "cup": things(1, 4),
        "mug": things(1, 7)[4:],
        "jug": np.concatenate([things(2, 3), things(3, 5)[3:]]),
        "pan": things(3, 3),
        "pot": np.concatenate([things(4, 3), things(5, 4)[3:]]),
        "hat": things(5, 3),
        "tin": things(6, 4),
    }
    return gallery_of(tmp_path / ".nearid", views)


def test_each_says_what_to_do_and_how_to_have_it_never_again(gallery: Gallery) -> None:
    found = {s.identities: s for s in suggest_corrections(gallery).found if s.kind != "outlier"}
    assert found.keys() == {("cup", "mug"), ("jug", "pan"), ("pot", "hat")}
    assert found["cup", "mug"].command == ("merge", "mug", "--into", "cup")
    assert found["cup", "mug"].keep == ("reject", "cup", "mug")
    jugs = ("catalog/jug/4.png", "catalog/jug/5.png")
    assert found["jug", "pan"].command == ("split", "jug", *jugs, "--as", "jug-2")
    assert found["pot", "hat"].command == ("confirm", "catalog/pot/4.png", "hat")
    assert found["pot", "hat"].keep == ("reject", "catalog/pot/4.png", "hat")
    assert found["jug", "pan"].keep == ("reject", "jug", "pan")
    assert [picture.identity for picture in found["jug", "pan"].pictures] == ["jug", "jug", "pan"]


def test_what_is_answered_is_not_asked_again(gallery: Gallery) -> None:
    corrections = gallery.corrections
    corrections.reject("cup", "mug")
    corrections.reject("catalog/pot/4.png", "hat")
    assert pairs_suggested(gallery) == {("jug", "pan")}
    corrections.reject("jug", "pan")
    assert pairs_suggested(gallery) == set()
    corrections.undo(1)
    assert pairs_suggested(gallery) == {("cup", "mug")}


def test_acting_on_each_leaves_nothing_to_suggest(gallery: Gallery) -> None:
    corrections = gallery.corrections
    corrections.merge(["mug"], into="cup")
    corrections.split("jug", ["catalog/jug/4.png", "catalog/jug/5.png"], into="jug-2")
    corrections.confirm("catalog/pot/4.png", "hat")
    assert pairs_suggested(gallery) == {("jug-2", "pan")}
    corrections.merge(["jug-2"], into="pan")
    assert pairs_suggested(gallery) == set()


def test_a_large_gallery_is_sampled_and_says_so(gallery: Gallery) -> None:
    told: list[tuple[int, int]] = []
    suggestions = suggest_corrections(
        gallery, SuggestConfig(views=6, seed=1), on_views=lambda done, total: told.append((done, total))
    )
    assert 6 <= suggestions.views < suggestions.images == 26
    assert told[0][0] == told[0][1]
    assert suggest_corrections(gallery, SuggestConfig(views=6, seed=1)) == suggestions


def test_single_pictures_are_compared_without_a_measure_and_come_last(tmp_path: Path) -> None:
    gallery = gallery_of(tmp_path / ".nearid", {"a": things(1, 1), "b": things(1, 2)[1:], "c": things(2, 1)})
    (found,) = suggest_corrections(gallery).found
    assert (found.identities, found.own) == (("a", "b"), None)
    assert "no identity has two pictures" in found.describe()


def test_an_empty_gallery_has_nothing_to_suggest(tmp_path: Path) -> None:
    assert suggest_corrections(gallery_of(tmp_path / ".nearid", {"a": things(1, 1)})).found == ()


@given(seed=st.integers(0, 1_000), count=st.integers(2, 8))
@settings(deadline=None, max_examples=30)
def test_the_tree_has_the_highest_sum_of_all(seed: int, count: int) -> None:
    rows = things(seed, count, noise=1.0)
    scores = np.asarray([[score(left, right) for right in rows] for left in rows], np.float32)
    edges = maximum_spanning_tree(scores)
    # Kruskal's greedy rule is another way to the same sum.
    part, total = list(range(count)), 0.0
    pairs = ((float(scores[i, j]), i, j) for i in range(count) for j in range(i))
    for value, i, j in sorted(pairs, reverse=True):
        if part[i] != part[j]:
            total += value
            part = [part[i] if known == part[j] else known for known in part]
    assert len(edges) == count - 1
    assert sum(float(scores[edge]) for edge in edges) == pytest.approx(total)


def test_a_draw_takes_few_views_of_an_identity_with_many() -> None:
    codes = np.repeat([0, 1, 2], [100, 3, 1])
    drawn = draw_views(codes, views=1_000, seed=0)
    assert {code: len(rows) for code, rows in drawn.items()} == {0: 64, 1: 3, 2: 1}
    assert all((codes[rows] == code).all() for code, rows in drawn.items())
