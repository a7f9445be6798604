"""A calibrated gallery: what is stored, how it then answers, and when it no longer believes its calibration."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from embedding_files import write_embeddings
from embeddings import look_alikes
from made_galleries import add_images, make_gallery

from nearid_search.config import CalibrateConfig
from nearid_search.engine import SearchEngine
from nearid_search.errors import CalibrationError, CalibrationWarning, ConfigError, GalleryLockedError
from nearid_search.eval.calibrate import CalibrationReport, calibrate_gallery
from nearid_search.indexer.calibration_file import CALIBRATION_NAME, read_calibration, write_calibration
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.records import QueryAnswer
from nearid_search.similarity import Embeddings, Rows

VECTORS, CODES = look_alikes(7, 240, 5, offset=0.6, noise=0.4)
LAST = np.array([(CODES[n + 1 :] != code).all() for n, code in enumerate(CODES)])  # one view of each is never enrolled
ENROLLED = (CODES < 200) & ~LAST


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return make_gallery(tmp_path / "gallery", VECTORS[ENROLLED], CODES[ENROLLED])


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Gallery, CalibrationReport]:
    gallery = make_gallery(tmp_path_factory.mktemp("calibrated") / "gallery", VECTORS[ENROLLED], CODES[ENROLLED])
    return gallery, calibrate_gallery(gallery)


def ask(engine: SearchEngine, vectors: Embeddings, **options: object) -> list[QueryAnswer]:
    return list(engine.answer_many(vectors, labels=[str(n) for n in range(len(vectors))], **options))  # type: ignore[arg-type]


def test_it_stores_what_it_reports(calibrated: tuple[Gallery, CalibrationReport]) -> None:
    gallery, report = calibrated
    assert read_calibration(gallery.folder) == report.calibration
    printed = json.loads(json.dumps(report.as_dict()))
    assert printed["known"] == printed["strangers"] == 800
    assert printed["asked_identities"] == printed["identities"] == 200
    assert printed["claimed"]
    assert printed["figures"]["fpir"]["low"] <= 0.01 <= printed["figures"]["fpir"]["high"]
    assert set(printed["figures"]) == {"fnir", "fpir", "false_match", "ece"}
    info = gallery.info()["calibration"]
    assert info["current"]
    assert info["fnir"] == printed["figures"]["fnir"]


def test_strangers_and_things_it_has_never_seen_get_the_verdicts_it_promised(
    calibrated: tuple[Gallery, CalibrationReport],
) -> None:
    gallery, report = calibrated
    engine = SearchEngine(gallery, None)
    strangers = ask(engine, VECTORS[CODES >= 200])
    assert all(answer.calibrated and answer.confidence is not None for answer in strangers)
    matches = [answer for answer in strangers if answer.verdict == "match"]
    assert len(matches) <= 0.05 * len(strangers)
    unseen = LAST & (CODES < 200)
    known = ask(engine, VECTORS[unseen])
    right = [a.matches[0].identity == f"thing {code}" for a, code in zip(known, CODES[unseen], strict=True)]
    accepted = [a.verdict == "match" for a in known]
    missed = 1 - np.mean([r and a for r, a in zip(right, accepted, strict=True)])
    assert 0 < missed < report.calibration.figures["fnir"]["high"]
    assert np.mean(accepted) > 0.5
    assert all(a.identity is None for a in [*strangers, *known] if a.verdict == "unknown")


def test_k_changes_no_verdict_and_a_filter_works(calibrated: tuple[Gallery, CalibrationReport]) -> None:
    engine = SearchEngine(calibrated[0], None)
    vectors = VECTORS[LAST][:30]
    few, many = ask(engine, vectors, k=1), ask(engine, vectors, k=50)
    assert [(a.verdict, a.confidence) for a in few] == [(a.verdict, a.confidence) for a in many]
    own = np.flatnonzero(engine.enrolled.codes == engine.enrolled.codes[0])
    (alone,) = ask(engine, engine.rows.vectors[:1], allowed=own)
    assert alone.margin is None
    assert alone.verdict == "match"
    assert alone.confidence is not None
    (nothing,) = ask(engine, vectors[:1], allowed=own[:0])
    assert (nothing.verdict, nothing.confidence, nothing.matches) == ("unknown", None, ())


def test_the_same_seed_gives_the_same_calibration(gallery: Gallery) -> None:
    config = CalibrateConfig(queries=60, seed=5)
    first, second = (calibrate_gallery(gallery, config).calibration for _ in range(2))
    assert replace(first, created_at="") == replace(second, created_at="")
    assert first.known == first.strangers == 60
    assert not first.claimed


@pytest.mark.parametrize("grown", [19, 21], ids=["nine percent", "eleven percent"])
def test_a_gallery_outgrows_its_calibration(gallery: Gallery, grown: int) -> None:
    calibrate_gallery(gallery, CalibrateConfig(queries=100))
    added = np.isin(CODES, np.arange(200, 200 + grown)) & ~LAST
    add_images(gallery, VECTORS[added], CODES[added], start=10_000)
    told: list[str] = []
    engine = SearchEngine(Gallery.open(gallery.folder), None, on_warning=told.append)
    answers = ask(engine, VECTORS[:3]) + ask(engine, VECTORS[3:6])
    assert [a.calibrated for a in answers] == [grown == 19] * 6
    assert [a.confidence is None for a in answers] == [grown != 19] * 6
    if grown == 21:
        assert told == [
            "the gallery was calibrated with 200 identities and has 221 now: "
            "calibrate again with nearid-search calibrate"
        ]
        assert not Gallery.open(gallery.folder).info()["calibration"]["current"]
        with pytest.warns(CalibrationWarning, match="has 221 now"):
            ask(SearchEngine(Gallery.open(gallery.folder), None), VECTORS[:1])
    else:
        assert told == []


def test_images_that_were_exchanged_are_noticed(gallery: Gallery) -> None:
    calibrate_gallery(gallery, CalibrateConfig(queries=100))
    table = gallery.store.image_table(["identity"])
    gallery.store.relabel([{"key": key, "identity": f"renamed {key}"} for key in table.column("key").to_pylist()[:3]])
    assert gallery.info()["calibration"]["current"]
    gone = table.column("key").to_pylist()[::5]
    gallery.store.remove_images(gone)
    again = np.flatnonzero(ENROLLED)[: len(gone)]
    add_images(gallery, VECTORS[again], CODES[again], start=20_000)
    assert "are gone or of another identity" in gallery.info()["calibration"]["reason"]


def test_another_encoder_or_a_damaged_file_leaves_the_provisional_rule(gallery: Gallery) -> None:
    report = calibrate_gallery(gallery, CalibrateConfig(queries=100))
    before = ask(SearchEngine(gallery, None), VECTORS[:1])
    write_calibration(gallery.folder, replace(report.calibration, encoder="another"))
    path = gallery.folder / CALIBRATION_NAME
    for content, reason in (
        (path.read_bytes(), "of another encoder"),
        (path.read_bytes().replace(b"0", b"1", 1), "was altered"),
    ):
        path.write_bytes(content)
        told: list[str] = []
        (answer,) = ask(SearchEngine(gallery, None, on_warning=told.append), VECTORS[:1])
        assert len(told) == 1
        assert reason in told[0]
        assert "nearid-search calibrate" in told[0]
        assert (answer.calibrated, answer.confidence) == (False, None)
        assert answer.matches == before[0].matches
        assert reason in gallery.info()["calibration"]["reason"]


def test_imported_embeddings_are_calibrated_too(tmp_path: Path) -> None:
    names = [f"thing {code}" for code in CODES]
    write_embeddings(tmp_path / "e.parquet", VECTORS, names)
    import_embeddings(tmp_path / "e.parquet", gallery=tmp_path / "shop")
    calibrate_gallery(Gallery.open(tmp_path / "shop"), CalibrateConfig(queries=100))
    engine = SearchEngine.open(tmp_path / "shop", encode=False)
    assert all(answer.calibrated for answer in ask(engine, VECTORS[:3]))


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        (np.arange(40), "0 identities have two or more views, and it takes 20"),
        (np.arange(40) // 3, "13 identities have two"),
        (np.zeros(40, int), "1 identities have two"),
        (np.empty(0, int), "0 identities have two"),
    ],
    ids=["one view each", "too few", "one identity", "empty"],
)
def test_too_little_is_refused_and_nothing_is_stored(tmp_path: Path, codes: Rows, reason: str) -> None:
    gallery = make_gallery(tmp_path / "gallery", VECTORS[: len(codes)], codes)
    with pytest.raises(CalibrationError, match=reason):
        calibrate_gallery(gallery)
    assert read_calibration(gallery.folder) is None
    assert gallery.info()["calibration"] is None


def test_settings_and_the_lock_are_checked(gallery: Gallery) -> None:
    with pytest.raises(ConfigError, match="fpir must be between 0 and 1"):
        CalibrateConfig(fpir=0)
    with pytest.raises(ConfigError, match="queries must be at least 1"):
        CalibrateConfig(queries=0)
    with writer_lock(gallery.folder), pytest.raises(GalleryLockedError):
        calibrate_gallery(gallery)
