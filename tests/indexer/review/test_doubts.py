"""Doubts about what has come in: a stray picture and a thing with two names are found, and little else."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import look_alikes
from made_galleries import add_images, key_of, make_gallery

from nearid_search.config import SuggestConfig
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.suggestions import suggest_corrections
from nearid_search.indexer.review.usual_scores import LEAST_FOR_OUTLIERS, usual_scores
from nearid_search.similarity import unit_rows
from nearid_search.suggestion import Suggestions

VECTORS, CODES = look_alikes(4, 60, 5, offset=0.8, noise=0.3)


def doubts(gallery: Gallery, *numbers: int, count: int = 1_000) -> Suggestions:
    """What is said of some images that have come in, or of all."""
    told: list[str] = []
    keys = frozenset(map(key_of, numbers)) if numbers else None
    opened = Gallery.open(gallery.folder)
    found = suggest_corrections(opened, SuggestConfig(count=count), keys=keys, sure=True, on_warning=told.append)
    assert told == []
    return found


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return make_gallery(tmp_path / "gallery", VECTORS, CODES)


@pytest.fixture
def stray(gallery: Gallery) -> Gallery:
    """The gallery with a picture of something that is not in it, as one of thing 7."""
    add_images(gallery, unit_rows(np.random.default_rng(1).normal(size=(1, 32))), np.array([7]), start=1_000)
    return gallery


def test_a_sound_gallery_raises_few_doubts(gallery: Gallery) -> None:
    found = doubts(gallery)
    assert (found.views, found.images) == (300, 300)
    assert len(found.found) <= 0.03 * 300


def test_a_picture_of_something_else_is_an_outlier(stray: Gallery) -> None:
    (doubt,) = doubts(stray, 1_000).found
    assert (doubt.kind, doubt.identities) == ("outlier", ("thing 7",))
    picture, nearest = doubt.pictures
    assert picture.key == key_of(1_000)
    vector = stray.store.images.search().where(f"key = '{picture.key}'").to_arrow()["embedding"].to_pylist()[0]
    own = VECTORS[CODES == 7] @ np.asarray(vector, np.float32)
    assert doubt.score == pytest.approx(own.max(), abs=1e-6)
    assert nearest.key == key_of(int(np.flatnonzero(CODES == 7)[own.argmax()]))
    assert doubt.own is not None
    assert doubt.strength == doubt.own - doubt.score > 0
    assert "is unlike the others" in doubt.describe()


@pytest.mark.parametrize("answer", ["confirm", "split", "reject"])
def test_an_outlier_is_not_offered_again(stray: Gallery, answer: str) -> None:
    (doubt,) = doubts(stray, 1_000).found
    picture = key_of(1_000)
    if answer == "confirm":
        assert doubt.keep == ("confirm", doubt.pictures[0].path, "thing 7")
        stray.corrections.confirm(picture, "thing 7")
    elif answer == "split":
        assert doubt.command == ("split", "thing 7", doubt.pictures[0].path, "--as", "thing 7-2")
        stray.corrections.split("thing 7", [picture], into="thing 7-2")
    else:
        stray.corrections.reject(picture, "thing 7")
    assert doubts(stray, 1_000).found == ()


def test_a_thing_under_a_second_name_is_close_to_itself_until_that_is_denied(gallery: Gallery) -> None:
    mean = VECTORS[CODES == 9].mean(axis=0)
    again = unit_rows(mean + 0.03 * np.random.default_rng(2).normal(size=(3, len(mean))))
    add_images(gallery, again, np.array([500, 500, 501]), start=1_000)
    found = doubts(gallery, 1_000, 1_001, 1_002).found
    # One doubt a pair of identities: the new ones are close to the old one, or to each other.
    pairs = [frozenset(doubt.identities) for doubt in found]
    assert len(set(pairs)) == len(pairs) > 0
    assert {name for pair in pairs for name in pair} <= {"thing 9", "thing 500", "thing 501"}
    assert any("thing 501" in pair for pair in pairs)
    for one, other in pairs:
        gallery.corrections.reject(one, other)
    assert not {frozenset(doubt.identities) for doubt in doubts(gallery, 1_000, 1_001, 1_002).found} & set(pairs)


def test_a_single_picture_near_one_view_of_another_thing_is_close_to_it(gallery: Gallery) -> None:
    """One side view of a thing, taken again under another name: the other views are far from it."""
    side = np.flatnonzero(CODES == 20)[0]
    add_images(gallery, unit_rows(VECTORS[side : side + 1] + 0.001), np.array([500]), start=1_000)
    (doubt,) = doubts(gallery, 1_000).found
    assert (doubt.kind, set(doubt.identities)) == ("duplicate", {"thing 20", "thing 500"})
    assert {picture.key for picture in doubt.pictures} == {key_of(1_000), key_of(int(side))}
    assert doubt.command == ("merge", "thing 500", "--into", "thing 20")  # the larger keeps its name


def test_a_stray_picture_does_not_make_its_identity_the_other(gallery: Gallery) -> None:
    """One picture of thing 20 shows thing 500, of which there is one picture: it is moved, and nothing is merged."""
    thing = unit_rows(np.random.default_rng(5).normal(size=(1, 32)))
    add_images(gallery, np.concatenate([thing, unit_rows(thing + 0.01)]), np.array([20, 500]), start=1_000)
    for new in ([1_000, 1_001], [1_000], [1_001]):
        (doubt,) = doubts(gallery, *new).found
        assert (doubt.kind, doubt.identities) == ("mixed", ("thing 20", "thing 500"))
        assert doubt.pictures[0].key == key_of(1_000)


def test_doubts_are_bounded_and_the_worst_come_first(gallery: Gallery) -> None:
    strays = unit_rows(np.random.default_rng(3).normal(size=(50, VECTORS.shape[1])))
    add_images(gallery, strays, np.arange(50), start=1_000)
    numbers = range(1_000, 1_050)
    everything = doubts(gallery, *numbers).found
    outliers = [doubt.score for doubt in everything if doubt.kind == "outlier"]
    assert len(outliers) > 20
    assert outliers == sorted(outliers)
    assert doubts(gallery, *numbers, count=20).found == everything[:20]


def test_of_many_new_views_the_new_ones_are_looked_at(gallery: Gallery) -> None:
    old = unit_rows(VECTORS[CODES == 7].mean(axis=0) + 0.05 * np.random.default_rng(4).normal(size=(200, 32)))
    add_images(gallery, old, np.full(200, 7), start=2_000)
    add_images(gallery, unit_rows(np.random.default_rng(1).normal(size=(1, 32))), np.array([7]), start=1_000)
    assert [doubt.pictures[0].key for doubt in doubts(gallery, 1_000).found] == [key_of(1_000)]


def test_without_enough_views_no_outlier_is_named(tmp_path: Path) -> None:
    views = LEAST_FOR_OUTLIERS - 1
    gallery = make_gallery(tmp_path / "gallery", VECTORS[:views], np.zeros(views, np.int64))
    assert [doubt for doubt in doubts(gallery).found if doubt.kind == "outlier"] == []
    one_each = make_gallery(tmp_path / "one", VECTORS[:30], np.arange(30))
    assert doubts(one_each).found == ()
    assert usual_scores(one_each.rows(), np.arange(30), seed=0) is None
    assert doubts(make_gallery(tmp_path / "empty", VECTORS[:0], CODES[:0])).images == 0


def test_what_is_usual_is_what_a_search_of_all_pairs_says(gallery: Gallery) -> None:
    rows = gallery.rows()
    vectors, codes = rows.vectors, rows.identities().codes
    scores = vectors @ vectors.T
    own = np.where((codes[:, None] == codes) & ~np.eye(len(codes), dtype=bool), scores, -1).max(axis=1)
    usual = usual_scores(rows, codes, seed=0)
    assert usual is not None
    low, median, high = np.quantile(own, [0.25, 0.5, 0.75])
    assert usual == pytest.approx((median, low - 1.5 * (high - low)), abs=1e-6)
