"""An explanation says what can be counted, measured or painted over anew."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_heads import write_head

from nearid_search.attribution import squeeze
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, ShapeError
from nearid_search.explain import Explainer
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.similarity import pair_scores

EXAMPLES = Path(__file__).parents[1] / "examples"
if not EXAMPLES.is_dir():
    pytest.skip("the sample catalogue is not part of what is installed", allow_module_level=True)
THINGS = ("chair-red-seat", "chair-slatted")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("shop")
    for thing in THINGS:
        shutil.copytree(EXAMPLES / "catalog" / thing, home / "catalog" / thing)
    shutil.copy(EXAMPLES / "queries/new-view.jpg", home / "photo.jpg")
    return home


@pytest.fixture(scope="module")
def engine(shop: Path, encoder: IdentityEncoder) -> SearchEngine:
    head = write_head(shop / "head", encoder.backbone.spec)
    made = IdentityEncoder(encoder.backbone, head=head)
    index_catalogue(shop / "catalog", gallery=shop / "gallery", encoder=made)
    return SearchEngine.open(shop / "gallery")


def test_the_answer_is_the_queries_and_the_counts_are_the_gallerys(engine: SearchEngine, shop: Path) -> None:
    answer = engine.explain(shop / "photo.jpg", k=2)
    plain = engine.query(shop / "photo.jpg", k=2)
    why = answer.explanation
    assert why is not None
    assert (answer.matches, answer.margin) == (plain.matches, plain.margin)
    assert (why.identity, why.other) == tuple(match.identity for match in plain.matches)
    assert (why.score, why.other_score) == tuple(match.score for match in plain.matches)
    assert why.margin == pytest.approx(plain.margin)
    assert (why.views, why.views_above) == (4, plain.matches[0].support)
    assert why.pictures[0].remarks == ()


def test_the_heat_map_is_pooled_without_each_region(engine: SearchEngine, shop: Path) -> None:
    from nearid_search.head_numpy import embed

    why = engine.explain(shop / "photo.jpg").explanation
    assert why is not None
    assert why.pictures[0].heat is not None
    encoder = engine.encoder
    assert isinstance(encoder, IdentityEncoder)
    assert encoder.head is not None
    prepared = encoder.prepare(encoder.read(shop / "photo.jpg").pixels)
    scales = encoder.backbone.tokens(prepared[None])
    side = len(why.pictures[0].heat)
    assert [scale.shape[1] for scale in scales] == [side**2] * len(scales)
    best = int(np.argmax(pair_scores(encoder.encode([shop / "photo.jpg"])[0], engine.rows.vectors)))
    for region in (0, 37, side**2 - 1):
        left = [np.delete(scale, region, axis=1) for scale in scales]
        without = pair_scores(engine.rows.vectors[best], embed(encoder.head.spec, encoder.head.arrays, left))[0]
        assert why.pictures[0].heat[region // side][region % side] == pytest.approx(why.score - without, abs=2e-5)


def test_several_pictures_are_explained_one_by_one(engine: SearchEngine, shop: Path) -> None:
    pictures = [shop / "photo.jpg", shop / "catalog/chair-slatted/1.jpg"]
    answer = engine.explain_set(pictures, k=2)
    why = answer.explanation
    assert why is not None
    assert replace(answer, explanation=None) == engine.query_set(pictures, k=2)
    assert (why.identity, why.other) == tuple(match.identity for match in answer.matches)
    assert (why.score, why.other_score) == tuple(match.score for match in answer.matches)
    assert why.margin == pytest.approx(answer.margin)
    assert [said.query for said in why.pictures] == list(map(str, pictures))
    assert why.score == pytest.approx(np.mean([said.score for said in why.pictures]), abs=1e-6)
    means = (engine.encoder.encode(pictures).astype(float) @ engine.rows.vectors.T.astype(float)).mean(axis=0)
    own = engine.enrolled.codes == engine.enrolled.code_of(why.identity)
    assert why.path == engine.enrolled.path_at(int(np.flatnonzero(own)[np.argmax(means[own])]))
    assert why.views_above == int((means[own] > means[~own].max()).sum())
    target = engine.rows.vectors[np.flatnonzero(own)[np.argmax(means[own])]]
    for said, picture in zip(why.pictures, pictures, strict=True):
        assert said.score == pytest.approx(float(engine.encoder.encode([picture])[0] @ target), abs=1e-6)
        alone = Explainer(engine).explain(picture, identity=why.identity)
        assert alone is not None
        if alone.path == why.path:
            assert said == alone.pictures[0]
    shown = answer.as_dict()["explanation"]
    assert [said["query"] for said in shown["pictures"]] == list(map(str, pictures))
    assert not {"heat", "background", "remarks"} & set(shown)
    assert engine.explain_set(pictures[:1], k=2) == engine.explain(pictures[0], k=2)
    with pytest.raises(ShapeError, match="must be one or more"):
        Explainer(engine).explain()


def test_the_users_mask_says_what_is_background(engine: SearchEngine, shop: Path, tmp_path: Path) -> None:
    with Image.open(shop / "photo.jpg") as picture:
        mask = Image.new("L", picture.size, 0)
    mask.paste(255, (0, 0, mask.width // 2, mask.height))
    mask.save(tmp_path / "photo.png")
    why = engine.explain(shop / "photo.jpg", masks=tmp_path).explanation
    assert why is not None
    share = why.pictures[0].background
    assert share is not None
    assert (share.source, round(share.area, 2)) == ("mask", 0.5)
    encoder = engine.encoder
    prepared = encoder.prepare(encoder.read(shop / "photo.jpg").pixels).copy()
    half = squeeze(np.asarray(mask, np.float32), len(prepared)) >= 127.5
    prepared[~half] = np.rint(255 * np.array(encoder.preprocessing.mean))
    found = pair_scores(encoder.encode_prepared(prepared[None])[0], engine.rows.vectors)
    best = np.argmax(pair_scores(encoder.encode([shop / "photo.jpg"])[0], engine.rows.vectors))
    assert share.foreground_score == pytest.approx(found[best], abs=1e-6)


def test_without_a_mask_saliency_says_it_and_the_lack_is_told(engine: SearchEngine, shop: Path, tmp_path: Path) -> None:
    why = engine.explain(shop / "photo.jpg", masks=tmp_path).explanation
    assert why is not None
    assert why.pictures[0].background is not None
    assert why.pictures[0].background.source == "saliency"
    assert why.pictures[0].remarks == (f"no mask of it in {tmp_path}",)
    with pytest.raises(ConfigError, match="is no folder: --masks takes one"):
        engine.explain(shop / "photo.jpg", masks=tmp_path / "none")


def test_an_identity_that_does_not_lead_is_held_against_the_one_that_does(engine: SearchEngine, shop: Path) -> None:
    first, second = engine.query(shop / "photo.jpg", k=2).matches
    why = Explainer(engine).explain(shop / "photo.jpg", identity=second.identity)
    assert why is not None
    assert why.margin is not None
    assert (why.identity, why.other, why.views_above) == (second.identity, first.identity, 0)
    assert why.margin < 0


def test_a_frozen_readout_has_no_regions_but_a_background(shop: Path, encoder: IdentityEncoder, tmp_path: Path) -> None:
    index_catalogue(shop / "catalog", gallery=tmp_path / "gallery", encoder=encoder)
    why = SearchEngine.open(tmp_path / "gallery").explain(shop / "photo.jpg").explanation
    assert why is not None
    assert why.pictures[0].heat is None
    assert why.pictures[0].remarks == ("no regions: they take a head, and this encoder shows none",)
    assert why.pictures[0].background is not None
    assert why.pictures[0].background.attention is None
