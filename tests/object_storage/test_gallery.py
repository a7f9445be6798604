"""A gallery in an object store does and answers what one on a disk does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from catalogues import MakeCatalogue, draw
from command_output import said
from correction_cases import made_gallery
from s3_server import SECRET, S3Server

from nearid_search.cli.app import run
from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import MissingExtraError, StorageError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.rebuild import open_draft, require_gallery_folder
from nearid_search.indexer.corrections.log import LOG_NAME
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.manifest import DRAFT_NAME, MANIFEST_NAME
from nearid_search.object_storage.path import ObjectPath, object_path

PICTURES = {"cup/1.png": 1, "cup/2.png": 2, "jug/1.png": 3, "pan/1.png": 4}


def make(folder: Path) -> None:
    """Write a gallery of generated embeddings."""
    with writer_lock(folder):
        made_gallery(folder, {"cup": 2, "jug": 1, "pan": 1})


def answers(gallery: Path, encoder: IdentityEncoder, query: Path, **options: Any) -> list[dict[str, Any]]:
    opened = Gallery.open(gallery)
    engine = SearchEngine(opened if not options else opened.as_of(options["as_of"]), encoder)
    return [engine.query(query).as_dict()]


def test_it_answers_and_is_corrected_like_one_on_a_disk(
    folder: ObjectPath, tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    pictures = catalogue(PICTURES)
    query, upload = tmp_path / "query.png", tmp_path / "upload.png"
    draw(query, 1)
    draw(upload, 50)
    told: dict[Path, list[object]] = {}
    for gallery in (tmp_path / "disk" / "gallery", folder):
        seen = told.setdefault(gallery, [])
        report = index_catalogue(pictures, gallery=gallery, encoder=encoder)
        seen.append((report.added, report.images, report.identities))
        before = str(Gallery.open(gallery).store.version)
        seen += answers(gallery, encoder, query)
        again = index_catalogue(pictures, gallery=gallery, encoder=encoder)
        seen.append((again.added, again.updated, again.unchanged, Gallery.open(gallery).store.version))
        corrections = Gallery.open(gallery).corrections
        merged = corrections.merge(["cup"], into="jug", by="Ann")
        kept = corrections.enrol(upload.read_bytes(), "lid", name="upload", new=True, encoder=encoder, by="Ann")
        seen += [merged.images, kept.images, *answers(gallery, encoder, query)]
        seen += answers(gallery, encoder, query, as_of=before)
        seen += [corrections.undo(merged.entry.number, by="Ann").images, *answers(gallery, encoder, query)]
        opened = Gallery.open(gallery)
        seen.append(
            [(past.entry.action, past.entry.what.replace("/", "")[-9:]) for past in opened.corrections.history()]
        )
        rebuilt = index_catalogue(pictures, gallery=gallery, encoder=encoder, rebuild=True)
        seen.append((rebuilt.images, rebuilt.failures))
        seen += answers(gallery, encoder, query)
    # The picture that came as bytes lies in the gallery, so its address is another.
    one, other = (json.dumps(seen, default=str).replace(str(gallery), "GALLERY") for gallery, seen in told.items())
    assert one == other
    shown = [path for views in Gallery.open(folder).views().values() for path, _ in views]
    assert any(path and path.startswith(f"{folder}/uploads/") for path in shown)
    assert sorted(path.name for path in folder.glob("tables*")) == [Gallery.open(folder).manifest.tables]


def test_a_draft_that_a_crash_left_published_is_not_written_into(
    folder: ObjectPath, catalogue: MakeCatalogue, encoder: IdentityEncoder
) -> None:
    pictures = catalogue({"cup/1.png": 1})
    index_catalogue(pictures, gallery=folder, encoder=encoder)
    tables = Gallery.open(folder).manifest.tables
    (folder / DRAFT_NAME).write_bytes((folder / MANIFEST_NAME).read_bytes())  # copied, and not deleted yet
    with writer_lock(folder):
        assert open_draft(folder, encoder).manifest.tables != tables


def test_another_process_sees_and_corrects_it(
    folder: ObjectPath,
    s3: S3Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(folder)
    command = [sys.executable, "-m", "nearid_search", "gallery", "merge", "cup", "--into", "jug", "--by", "Ann"]
    done = subprocess.run(
        command, env={**os.environ, "NEARID_GALLERY": str(folder)}, capture_output=True, text=True, check=True
    )
    assert Gallery.open(str(folder)).identities() == {"jug": 3, "pan": 1}
    monkeypatch.setenv("NEARID_GALLERY", str(folder))
    info, _ = said(capsys, "gallery", "info")
    assert (info["gallery"], info["images"], info["identities"]) == (str(folder), 4, 2)
    (entry,), _ = said(capsys, "gallery", "history", "--gallery", str(folder))
    assert (entry["action"], entry["who"]) == ("merge", "Ann")
    assert run(["gallery", "suggest"]) == 0
    assert run(["gallery", "list"]) == 0
    # Nobody can read in the gallery, in what is kept of it, or in what was said how it was reached.
    stored = b"".join((folder / name).read_bytes() for name in ("manifest.json", LOG_NAME, "writer.lease"))
    kept = b"".join(path.read_bytes() for path in Path(os.environ["NEARID_CACHE"]).rglob("*") if path.is_file())
    printed = done.stdout + done.stderr + "".join(capsys.readouterr())
    assert SECRET not in printed
    assert SECRET.encode() not in stored + kept
    assert s3.address.encode() not in stored + kept


def test_it_is_exported_and_restored(folder: ObjectPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(folder)
    before = Gallery.open(folder).identities()
    monkeypatch.setenv("NEARID_GALLERY", str(folder))
    assert run(["gallery", "tag", "before"]) == 0
    assert run(["gallery", "remove", "pan", "--by", "Ann"]) == 0
    assert Gallery.open(folder).identities() == {"cup": 2, "jug": 1}
    assert run(["gallery", "restore", "before", "--by", "Ann"]) == 0
    assert Gallery.open(folder).identities() == before
    assert run(["gallery", "export", str(tmp_path / "out.parquet")]) == 0
    assert (tmp_path / "out.parquet").stat().st_size > 0


def test_a_whole_bucket_may_be_one(s3: S3Server) -> None:
    s3.make_bucket("whole")
    folder = object_path("s3://whole/")
    assert folder is not None
    require_gallery_folder(folder)
    make(folder)
    assert Gallery.open("s3://whole").identities() == {"cup": 2, "jug": 1, "pan": 1}
    assert Gallery.open("s3://whole").corrections.rename("cup", "mug", by="Ann").images == 2


def test_credentials_are_found_where_amazons_tools_find_them(
    folder: ObjectPath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folder)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(StorageError, match=r"no credentials were found .*: set AWS_ACCESS_KEY_ID"):
        Gallery.open(folder)
    (tmp_path / "credentials").write_text(f"[shop]\naws_access_key_id = test\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert len(Gallery.open(folder).identities()) == 3


def test_what_is_missing_for_it_is_named(folder: ObjectPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingExtraError, match=r"a gallery at s3:// needs obstore, .* 'nearid-search\[cloud\]'"):
        Gallery.open(folder)
