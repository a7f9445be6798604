"""Galleries as earlier versions wrote them open, answer the same, take corrections and can be indexed into.

``scripts/make_old_gallery.py`` makes one of each release.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.indexer.care.checksums import CHECKSUMS_NAME, read_checksums
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery

ARCHIVES = sorted((Path(__file__).parents[2] / "old_galleries").glob("*.zip"))
NEAR = 1e-3  # two runtimes of one network differ by less


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.stem)
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with zipfile.ZipFile(request.param) as packed:
        packed.extractall(tmp_path)
    return tmp_path


def test_there_is_one_of_every_release() -> None:
    assert ARCHIVES
    assert all(path.stat().st_size < 300_000 for path in ARCHIVES)


def test_an_old_gallery_answers_as_it_did_and_is_written_to(home: Path) -> None:
    expected: dict[str, Any] = json.loads((home / "expected.json").read_text(encoding="utf-8"))
    gallery = Gallery.open(home / ".nearid")
    assert gallery.identities() == expected["identities"]
    encoder = gallery.open_encoder(device="cpu")
    assert isinstance(encoder, IdentityEncoder)
    assert encoder.fingerprint == expected["encoder"]
    answer = SearchEngine(gallery, encoder).query(home / "asked.jpg", k=len(expected["scores"]))
    assert {match.identity: match.score for match in answer.matches} == pytest.approx(expected["scores"], abs=NEAR)
    assert [tag.tag for tag in gallery.corrections.tags()] == ["before"]
    _is_protected_from_the_first_write(gallery)
    gallery.corrections.undo()
    assert Gallery.open(gallery.folder).identities() != expected["identities"]
    report = index_catalogue(home / "catalog", gallery=gallery.folder, identities=home / "catalog.csv", encoder=encoder)
    assert (report.added, report.failures) == (0, ())
    assert (
        SearchEngine(Gallery.open(gallery.folder), encoder).query(home / "asked.jpg").matches[0].identity == "thing-1"
    )


def _is_protected_from_the_first_write(gallery: Gallery) -> None:
    before = verify_gallery(gallery.folder)
    assert before.damaged == []
    if read_checksums(gallery.folder) is None:
        assert [(found.file, found.what) for found in before.findings] == [
            (CHECKSUMS_NAME, "is missing: an earlier version wrote this gallery")
        ]
    gallery.corrections.rename("thing-0", "cup")
    assert verify_gallery(gallery.folder).findings == ()
    gallery.corrections.undo()
