"""Tuning on look-alikes: it looks as far as it must, measures what it says, and stores it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import oracles
import pytest
from embeddings import look_alikes
from made_galleries import add_images, key_of, make_gallery
from stored_indexes import NEVER_SCAN, refresh

from nearid_search.config import TuneConfig
from nearid_search.errors import ConfigError, IndexUnusableError
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.search.index_file import StoredIndex, open_index
from nearid_search.indexer.search.index_manifest import read_index_manifest, write_index_manifest
from nearid_search.indexer.search.index_recipe import RECIPES, SearchSettings
from nearid_search.indexer.search.index_rows import GalleryRows
from nearid_search.indexer.search.stored_index import describe_index
from nearid_search.indexer.search.tune import find_look_alikes, tune_gallery, tune_index

pytest.importorskip("faiss")

VECTORS, CODES = look_alikes(11, 800, 5)
CONFIG = TuneConfig(queries=300, seed=4)


@pytest.fixture(scope="module", params=["hnsw-sq8", "ivf-rabitq"])
def gallery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    made = make_gallery(tmp_path_factory.mktemp("tune") / "gallery", VECTORS, CODES)
    refresh(made, request.param)
    return made


def opened(gallery: Gallery) -> tuple[StoredIndex, GalleryRows, np.ndarray]:
    table = gallery.store.image_table(["identity"])
    rows = gallery.rows()
    stored = open_index(gallery.index_dir, rows)
    assert stored is not None
    return stored, rows, np.unique(table.column("identity").to_pylist(), return_inverse=True)[1]


def test_the_setting_rises_until_little_enough_is_lost(gallery: Gallery) -> None:
    stored, rows, codes = opened(gallery)
    settings, tuning, tried = tune_index(stored, rows, codes, CONFIG, scan=NEVER_SCAN)
    assert settings == tried[-1].settings
    assert tuning.reached
    assert tuning.loss <= 0.1 < tuning.loss_high
    assert [rung.lost > 0.001 * tuning.queries for rung in tried] == [True] * (len(tried) - 1) + [False]
    assert tuning.recall_at_10 > 0.97
    assert tuning.p50_ms > 0
    assert (tuning.queries, tuning.rows, tuning.seed) == (300, len(VECTORS), 4)
    # Exact search is right of these hard views only sometimes, or there would be nothing to lose.
    assert 0.1 < tuning.exact_rank1 < 0.95


def test_a_stricter_bound_looks_further(gallery: Gallery) -> None:
    stored, rows, codes = opened(gallery)
    loose = tune_index(stored, rows, codes, TuneConfig(queries=300, max_loss=60), scan=NEVER_SCAN)
    strict = tune_index(stored, rows, codes, TuneConfig(queries=300, max_loss=0), scan=NEVER_SCAN)
    assert len(loose[2]) == 1
    assert len(strict[2]) >= len(loose[2])
    assert strict[1].recall_at_10 >= loose[1].recall_at_10


def test_views_are_asked_whose_nearest_other_identity_is_closest() -> None:
    """Against every score of every row, one view at a time."""
    vectors, codes = look_alikes(5, 40, 3)
    codes[:2] = [500, 501]  # lone views are not asked
    asked = find_look_alikes(vectors, codes, TuneConfig(queries=30, seed=1))
    closest = {}
    for row in range(len(vectors)):
        others = [float(oracles.score(vectors[row], vectors[o])) for o in range(len(vectors)) if codes[o] != codes[row]]
        if (codes == codes[row]).sum() > 1:
            closest[row] = max(others)
    wanted = sorted(closest, key=lambda row: (-closest[row], row))[:30]
    assert sorted(asked.rows.tolist()) == sorted(wanted)
    for row, nearest, right in zip(asked.rows.tolist(), asked.nearest.tolist(), asked.right.tolist(), strict=True):
        ((*_,),), ((own, *ranked),) = oracles.top_k(vectors[row : row + 1], vectors, k=len(vectors))
        assert own == row
        assert nearest == ranked[:10]
        assert right == (codes[ranked[0]] == codes[row])


def test_what_was_found_is_stored_and_shown(gallery: Gallery) -> None:
    report = tune_gallery(gallery, CONFIG)
    assert report.as_dict()["scanned"]  # so few rows are
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert described["tuning"] == report.as_dict()["tuning"]
    assert report.tuning is not None
    assert described["settings"] == report.settings_in_words
    assert described["state"] == "fresh"
    again = tune_gallery(gallery, CONFIG)
    assert again.tuning is not None
    assert (again.settings, again.tuning.rank1, again.tuning.loss) == (
        report.settings,
        report.tuning.rank1,
        report.tuning.loss,
    )


def test_tuning_outlives_added_rows(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", VECTORS[:500], CODES[:500])
    refresh(gallery, "ivf-sq8")
    report = tune_gallery(gallery, CONFIG)
    add_images(gallery, VECTORS[500:550], CODES[500:550], start=500)
    assert refresh(gallery, "ivf-sq8").action == "extended"
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert (described["tuning"]["rows"], described["settings"]) == (500, report.settings_in_words)


def test_an_index_made_anew_looks_as_far_but_has_no_figures(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", VECTORS[:500], CODES[:500])
    refresh(gallery, "ivf-sq8")
    manifest = read_index_manifest(gallery.index_dir)
    assert manifest is not None
    tune_gallery(gallery, CONFIG)
    write_index_manifest(gallery.index_dir, replace(manifest, settings=SearchSettings(nprobe=999)))
    gallery.store.remove_images([key_of(number) for number in range(60)])
    assert refresh(gallery, "ivf-sq8").action == "built"
    described = describe_index(gallery.index_dir, gallery.rows())
    assert described is not None
    assert (described["settings"], described["tuning"]) == ("overfetch 2, nprobe 999", None)


def test_nothing_to_tune(tmp_path: Path) -> None:
    gallery = make_gallery(tmp_path / "gallery", VECTORS[:100], np.arange(100))
    assert tune_gallery(gallery).as_dict() == {
        "gallery": str(gallery.folder),
        "backend": "exact",
        "settings": None,
        "tuning": None,
        "tried": [],
        "scanned": False,
    }
    refresh(gallery, "sq8")
    with pytest.raises(ConfigError, match="no identity has two images"):
        tune_gallery(gallery)
    next(gallery.index_dir.glob("*.rows")).unlink()
    with pytest.raises(IndexUnusableError, match="is missing"):
        tune_gallery(gallery)


@pytest.mark.parametrize(
    ("name", "value"), [("queries", 0), ("max_loss", -1), ("max_loss", 100), ("max_loss", float("nan"))]
)
def test_numbers_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .*, got {value}"):
        TuneConfig(**{name: value})  # type: ignore[arg-type]


def test_every_kind_can_be_tuned() -> None:
    assert all(recipe.tuned in ("overfetch", "ef_search", "nprobe", "k_factor") for recipe in RECIPES.values())


def test_what_others_have_written_since_the_gallery_was_opened_is_tuned(tmp_path: Path) -> None:
    made = make_gallery(tmp_path / "gallery", VECTORS[:1_000], CODES[:1_000])
    refresh(made, "hnsw-sq8")
    held = Gallery.open(made.folder)
    add_images(made, VECTORS[1_000:2_000], CODES[1_000:2_000], start=1_000)
    refresh(made, "hnsw-sq8")
    report = tune_gallery(held, replace(CONFIG, queries=50))
    assert report.tuning is not None
    assert report.tuning.rows == 2_000
