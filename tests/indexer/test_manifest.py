"""The manifest notices every change that is not ours."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from nearid_search.errors import GalleryCorruptError, GalleryMismatchError, GalleryWriteError
from nearid_search.indexer.manifest import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    EncoderRecord,
    Manifest,
    read_manifest,
    write_manifest,
)
from nearid_search.sealed_json import seal

ENCODER = EncoderRecord(
    fingerprint="toy:0123+frozen", backbone="toy@Ärger.bin", dtype="float32", dim=4, details={"mean": [0.5, 0.25]}
)
MANIFEST = Manifest(encoder=ENCODER, created_at="2026-01-02T03:04:05+00:00", made_by="0.1.0")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    manifest = MANIFEST.with_catalogue("catalog", "/data/catalog.csv").with_catalogue("other", None)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest
    assert list(tmp_path.iterdir()) == [tmp_path / MANIFEST_NAME]
    assert MANIFEST.catalogues == {}


def test_rewriting_replaces(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    write_manifest(tmp_path, MANIFEST.with_catalogue("catalog", None))
    assert read_manifest(tmp_path) == MANIFEST.with_catalogue("catalog", None)


def test_a_crash_before_the_rename_leaves_the_old_one(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    (tmp_path / MANIFEST_NAME).with_suffix(".tmp").write_bytes(b'{"half":')
    assert read_manifest(tmp_path) == MANIFEST
    write_manifest(tmp_path, MANIFEST.with_catalogue("catalog", None))
    assert read_manifest(tmp_path) == MANIFEST.with_catalogue("catalog", None)


def test_no_manifest_is_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "none") is None


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80, 0xFF])
def test_every_flipped_byte_is_noticed_or_harmless(tmp_path: Path, flip: int) -> None:
    write_manifest(tmp_path, MANIFEST)
    path = tmp_path / MANIFEST_NAME
    original = path.read_bytes()
    refusals = []
    for place in range(len(original)):
        path.write_bytes(original[:place] + bytes([original[place] ^ flip]) + original[place + 1 :])
        try:
            assert read_manifest(tmp_path) == MANIFEST  # white space may change
        except GalleryCorruptError as error:
            refusals.append(str(error))
    assert len(refusals) > len(original) // 2
    assert all(str(path) in refusal and "--rebuild" in refusal for refusal in refusals)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    path = tmp_path / MANIFEST_NAME
    original = path.read_bytes()
    for length in range(len(original.rstrip())):
        path.write_bytes(original[:length])
        with pytest.raises(GalleryCorruptError):
            read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["[]", "{}", "null", "7", '{"sha256": null}', '{"sha256": "0"}'])
def test_other_json_is_corrupt(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(text)
    with pytest.raises(GalleryCorruptError, match="was altered"):
        read_manifest(tmp_path)


def test_a_later_format_is_refused_by_number(tmp_path: Path) -> None:
    later = FORMAT_VERSION + 1
    write_manifest(
        tmp_path, Manifest(encoder=ENCODER, created_at="2030-01-01T00:00:00", made_by="9", format_version=later)
    )
    with pytest.raises(GalleryMismatchError, match=rf"format {later}, this version reads format {FORMAT_VERSION}"):
        read_manifest(tmp_path)


def test_fields_of_a_later_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST_NAME).write_bytes(seal({**asdict(MANIFEST), "mirrors": 2}))
    with pytest.raises(GalleryMismatchError, match=r"other fields than this version knows .*mirrors"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("tables", ["../tables", "tables/../..", "/tables", "elsewhere", ""])
def test_tables_outside_the_gallery_are_refused(tmp_path: Path, tables: str) -> None:
    write_manifest(tmp_path, Manifest(encoder=ENCODER, created_at="2030-01-01T00:00:00", made_by="9", tables=tables))
    with pytest.raises(GalleryCorruptError, match="outside the gallery"):
        read_manifest(tmp_path)


def test_the_file_is_for_people_too(tmp_path: Path) -> None:
    write_manifest(tmp_path, MANIFEST)
    document = json.loads((tmp_path / MANIFEST_NAME).read_text())
    assert document["encoder"]["fingerprint"] == ENCODER.fingerprint
    assert (tmp_path / MANIFEST_NAME).read_text().endswith("}\n")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(GalleryWriteError, match=r"cannot write .*none.*No such file"):
        write_manifest(tmp_path / "none", MANIFEST)
