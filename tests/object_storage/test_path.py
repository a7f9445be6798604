"""Paths in an object store do what a gallery asks of a path, and nothing in the file system."""

import os
import stat
from pathlib import Path

import pytest
from s3_server import S3Server

from nearid_search.durable_file import rename, write_file
from nearid_search.errors import StorageError
from nearid_search.indexer.lock import writer_lock
from nearid_search.object_storage.path import ObjectPath, object_path


@pytest.mark.parametrize("text", ["s3://shop/gallery", "gs://shop/a b/gallery", "az://shop", "s3://shop/ü/1"])
def test_an_address_stays_what_was_typed(text: str) -> None:
    found = object_path(text)
    assert found is not None
    assert str(found) == text
    assert object_path(found) is found
    assert object_path(Path(text)) == found  # which has made one slash of two
    assert str(found / "a/b.json") == f"{text}/a/b.json"
    assert (found / "a").parent == found
    assert (found / "a" / "b").relative_to(found).as_posix() == "a/b"


@pytest.mark.parametrize("text", ["./s3", "s3", "/s3://shop/gallery", "s3:", "http://shop/gallery", "S3://shop/g"])
def test_all_else_is_a_path_of_this_machine(text: str) -> None:
    assert object_path(text) is None


def test_it_never_stands_for_a_local_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = object_path("s3://shop/gallery")
    assert path is not None
    for use in (os.fspath, Path.touch, os.listdir, Path.read_text, Path.resolve):
        with pytest.raises(TypeError, match="s3://shop/gallery"):
            use(path)
    assert list(tmp_path.iterdir()) == []
    joined = path / "/pictures/1.png"
    assert joined == Path("/pictures/1.png")
    assert not isinstance(joined, ObjectPath)


def test_objects_are_written_read_listed_and_deleted(folder: ObjectPath) -> None:
    name = folder / "a.json"
    with pytest.raises(FileNotFoundError, match=r"a\.json"):
        name.read_bytes()
    assert not folder.exists()
    write_file(name, b"one")
    write_file(folder / "below/b.json", b"two")
    assert name.read_bytes() == b"one"
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "below"]
    assert [str(path) for path in folder.glob("*.json")] == [str(name)]
    assert (folder.is_dir(), folder.is_file(), name.is_dir(), name.is_file()) == (True, False, False, True)
    assert stat.S_ISDIR(folder.stat().st_mode)
    before = name.stat()
    assert before.st_size == 3
    write_file(name, b"two")
    assert name.stat().st_ino != before.st_ino
    with writer_lock(folder):
        rename(name, folder / "c.json")
    assert ((folder / "c.json").read_bytes(), name.exists()) == (b"two", False)
    with pytest.raises(FileNotFoundError):
        name.unlink()
    name.unlink(missing_ok=True)
    folder.remove_folder()  # type: ignore[attr-defined,unused-ignore]
    assert not folder.exists()


def test_a_condition_decides_who_has_written(folder: ObjectPath) -> None:
    path = folder / "a.json"
    assert isinstance(path, ObjectPath)
    first = path.create(b"one")
    assert first is not None
    assert path.create(b"two") is None
    second = path.update(b"three", first)
    assert second is not None
    assert path.update(b"four", first) is None
    assert path.read_tagged() == (b"three", second)


def test_a_bucket_that_is_not_there_is_named(s3: S3Server) -> None:  # noqa: ARG001  (it must run)
    path = object_path("s3://nowhere/gallery")
    assert path is not None
    for use in (path.read_bytes, lambda: list(path.iterdir()), lambda: path.write_bytes(b"")):
        with pytest.raises(StorageError, match=r"s3://nowhere/gallery: there is no such bucket"):
            use()
