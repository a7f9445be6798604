"""Names and kinds of files that no catalogue should have: each is a picture like others, or named with the reason."""

import os
import socket
import stat
from pathlib import Path

import pytest
from catalogues import draw

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.catalogue.scan import list_query_images, scan_catalogue
from nearid_search.indexer.gallery import Gallery

NAMES = (
    "with space",
    "new\nline",
    "-dash",
    "\U0001f600",
    "tab\tx",
    "red\x1b[31m",
    "turned\u202egpj",
    "quote's",
    "n" * 251,
)


def test_strange_names_are_names(tmp_path: Path, encoder: IdentityEncoder) -> None:
    folder = tmp_path / "catalogue"
    for number, name in enumerate([*NAMES, "e\u0301", "\u00e9"]):
        draw(folder / "a" / f"{number}.png", number)
        (folder / "a" / f"{number}.png").rename(folder / "a" / f"{name}.png")
    report = index_catalogue(folder, gallery=tmp_path / "gallery", encoder=encoder)
    assert (report.added, report.failures) == (len(NAMES) + 2, ())
    [views] = Gallery.open(tmp_path / "gallery").views().values()
    assert {Path(path or "").stem for path, _ in views} == {*NAMES, "e\u0301", "\u00e9"}


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path, encoder: IdentityEncoder) -> None:
    folder = tmp_path / "c"
    draw(folder / "a/sound.png", 1)
    os.mkfifo(folder / "a/pipe.png")
    (folder / "a/zeros.png").symlink_to("/dev/zero")
    (folder / "a/up.png").symlink_to("..")
    (folder / "a/loop.png").symlink_to("loop.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "a/socket.png"))
        report = index_catalogue(folder, gallery=tmp_path / "gallery", encoder=encoder)
    assert stat.S_ISFIFO((folder / "a/pipe.png").stat().st_mode)
    assert report.added == 1
    assert {Path(failure.path).name: failure.error for failure in report.failures} == {
        "pipe.png": "not a regular file",
        "zeros.png": "not a regular file",
        "socket.png": "not a regular file",
        "up.png": "is a directory",
        "loop.png": "cannot be looked at: Too many levels of symbolic links",
    }


@pytest.mark.slow
def test_folders_ten_thousand_deep_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "sound.png", 1)
    monkeypatch.chdir(tmp_path)
    made = []
    try:
        for _ in range(10_000):
            os.mkdir("d")  # noqa: PTH102  (relative to a place that has no path)
            os.chdir("d")
            made.append("d")
        scan = scan_catalogue(tmp_path)
        with pytest.raises(CatalogueError, match="folder cannot be read: File name too long"):
            list_query_images([tmp_path])
    finally:
        for _ in made:  # pytest could not remove them
            os.chdir("..")
            os.rmdir("d")  # noqa: PTH106
    assert [file.path for file in scan.files] == ["sound.png"]
    assert [failure.error for failure in scan.failures] == ["folder cannot be read: File name too long"]
