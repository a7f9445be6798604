"""Doubts at enrolment: a picture in the wrong folder and a thing with two names are found, and little else."""

from pathlib import Path

import numpy as np
import pytest
from embeddings import look_alikes
from made_galleries import add_images, key_of, make_gallery

from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.review.enrolment import MOST_DOUBTS, check_enrolment
from nearid_search.reports import EnrolmentReport
from nearid_search.similarity import unit_rows

VECTORS, CODES = look_alikes(4, 60, 5, offset=0.8, noise=0.3)


def check(gallery: Gallery, keys: frozenset[str] | None = None) -> EnrolmentReport:
    told: list[str] = []
    report = check_enrolment(Gallery.open(gallery.folder), keys=keys, on_warning=told.append)
    assert told == []
    return report


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return make_gallery(tmp_path / "gallery", VECTORS, CODES)


def test_a_sound_gallery_raises_few_doubts(gallery: Gallery) -> None:
    report = check(gallery)
    assert (report.checked, report.of, report.reason) == (300, 300, "")
    assert len(report.doubts) <= 0.03 * 300


def test_a_picture_of_something_else_is_an_outlier(gallery: Gallery) -> None:
    stray = unit_rows(np.random.default_rng(1).normal(size=(1, VECTORS.shape[1])))
    add_images(gallery, stray, np.array([7]), start=1_000)
    report = check(gallery, keys=frozenset([key_of(1_000)]))
    assert (report.checked, report.of) == (1, 1)
    (doubt,) = report.doubts
    assert (doubt.kind, doubt.identity, doubt.other_identity) == ("outlier", "thing 7", "thing 7")
    assert doubt.path is not None
    assert doubt.path.endswith("1000.png")
    own = VECTORS[CODES == 7] @ stray[0]
    assert doubt.score == pytest.approx(own.max(), abs=1e-6)
    assert doubt.other_path is not None
    assert doubt.other_path.endswith(f"{np.flatnonzero(CODES == 7)[own.argmax()]}.png")


def test_a_thing_under_a_second_name_is_close_to_itself(gallery: Gallery) -> None:
    mean = VECTORS[CODES == 9].mean(axis=0)
    again = unit_rows(mean + 0.03 * np.random.default_rng(2).normal(size=(3, len(mean))))
    add_images(gallery, again, np.array([500, 500, 501]), start=1_000)
    report = check(gallery, keys=frozenset(key_of(number) for number in (1_000, 1_001, 1_002)))
    close = [doubt for doubt in report.doubts if doubt.kind == "close"]
    # One doubt a pair of identities: the new ones are close to the old one, or to each other.
    pairs = [{doubt.identity, doubt.other_identity} for doubt in close]
    assert all(pairs.count(pair) == 1 for pair in pairs)
    assert {name for pair in pairs for name in pair} <= {"thing 9", "thing 500", "thing 501"}
    assert any("thing 501" in pair for pair in pairs)
    assert "may be one thing" in close[0].describe()


def test_doubts_are_bounded_and_the_worst_come_first(gallery: Gallery) -> None:
    strays = unit_rows(np.random.default_rng(3).normal(size=(50, VECTORS.shape[1])))
    add_images(gallery, strays, np.arange(50), start=1_000)
    report = check(gallery, keys=frozenset(key_of(1_000 + number) for number in range(50)))
    outliers = [doubt.score for doubt in report.doubts if doubt.kind == "outlier"]
    assert len(outliers) == MOST_DOUBTS
    assert outliers == sorted(outliers)


def test_without_enough_views_nothing_is_said(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", VECTORS[:30], np.arange(30) // 2 * np.tile([1, 0], 15))
    one_each = make_gallery(tmp_path / "one", VECTORS[:30], np.arange(30))
    report = check(one_each)
    assert (report.checked, report.doubts) == (0, ())
    assert "0 views belong to identities of two or more" in report.reason
    assert check(gallery, keys=frozenset()) == EnrolmentReport(checked=0, of=0, doubts=())
    assert check(make_gallery(tmp_path / "empty", VECTORS[:0], CODES[:0])).of == 0
