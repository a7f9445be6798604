"""Walking catalogues, the odd ones above all."""

import os
from pathlib import Path

import pytest

from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.scan import list_pictures, scan_catalogue


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def found(folder: Path) -> list[str]:
    return [file.path for file in scan_catalogue(folder).files]


def test_images_come_sorted_with_size_and_time(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.JPG", "b/1.png", "a.webp", "c/d/e.heic", "notes.txt", "b/table.csv")
    os.utime(tmp_path / "a.webp", ns=(5, 1_700_000_000_123_456_789))
    scan = scan_catalogue(tmp_path)
    assert [file.path for file in scan.files] == ["a.webp", "b/1.png", "b/2.JPG", "c/d/e.heic"]
    assert scan.files[0].size == len("a.webp")
    assert scan.files[0].mtime_ns == 1_700_000_000_123_456_789
    assert scan.num_other == 2
    assert scan.failures == []


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", ".b.jpg", ".nearid/c.jpg", "d/.e/f.jpg")
    assert found(tmp_path) == ["a.jpg"]
    assert scan_catalogue(tmp_path).num_other == 0


def test_a_loop_of_links_does_not_trap_the_walk(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    assert found(tmp_path) == ["a/1.jpg"]


def test_links_to_files_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "store/long name.jpg")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "store" / "long name.jpg")
    (file,) = scan_catalogue(tmp_path / "in").files
    assert (file.path, file.size) == ("link.jpg", len("store/long name.jpg"))


def test_a_dangling_link_is_a_failure(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    scan = scan_catalogue(tmp_path)
    assert [file.path for file in scan.files] == ["a.jpg"]
    assert [(failure.path, failure.error) for failure in scan.failures] == [
        ("gone.jpg", "cannot be looked at: No such file or directory")
    ]


def test_a_name_that_is_not_utf8_is_a_failure_and_printable(tmp_path: Path) -> None:
    touch(tmp_path, "ä.jpg")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.jpg")).write_bytes(b"x")
    scan = scan_catalogue(tmp_path)
    assert [file.path for file in scan.files] == ["ä.jpg"]
    (failure,) = scan.failures
    failure.path.encode()
    assert "bad" in failure.path
    assert "not valid UTF-8" in failure.error


def test_images_in_a_folder_whose_name_is_not_utf8_are_failures(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff"))
    touch(folder, "b.jpg")
    scan = scan_catalogue(tmp_path)
    assert [file.path for file in scan.files] == ["a.jpg"]
    assert len(scan.failures) == 1
    scan.failures[0].path.encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_closed_folder_is_a_failure(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "closed/b.jpg")
    (tmp_path / "closed").chmod(0)
    try:
        scan = scan_catalogue(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert [(failure.path, failure.error) for failure in scan.failures] == [
        ("closed/", "folder cannot be read: Permission denied")
    ]


def test_unusable_catalogues_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    touch(tmp_path, "texts/a.txt", "texts/b/c.txt")
    for name, message in [
        ("none", "does not exist"),
        ("texts/a.txt", "is not a folder"),
        ("empty", "holds no images .no files at all."),
        ("texts", "holds no images .2 other files.: expected .jpg"),
    ]:
        with pytest.raises(CatalogueError, match=message) as caught:
            scan_catalogue(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_pictures_are_listed_without_being_opened(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "b/.2.jpg", ".trash/3.jpg", "a.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert list_pictures(tmp_path) == [tmp_path / "a.png", tmp_path / "b/2.JPG"]
    assert list_pictures(tmp_path / "b") == [tmp_path / "b/2.JPG"]
    (tmp_path / "empty").mkdir()
    assert list_pictures(tmp_path / "empty") == []
    for wrong in ("a.png", "none"):
        with pytest.raises(CatalogueError, match="is not a folder"):
            list_pictures(tmp_path / wrong)


def test_a_picture_that_cannot_be_named_is_not_passed_over(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg")).write_bytes(b"")
    with pytest.raises(CatalogueError, match="not valid UTF-8"):
        list_pictures(tmp_path)
