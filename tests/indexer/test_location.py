"""Finding galleries and naming files."""

from pathlib import Path

import pytest

from nearid_search.errors import GalleryNotFoundError
from nearid_search.indexer.location import (
    GALLERY_VARIABLE,
    display_path,
    locate_gallery,
    require_gallery,
    stored_path,
)


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(GALLERY_VARIABLE, raising=False)


def test_the_nearest_gallery_above_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / ".nearid").mkdir()
    assert locate_gallery(start=inner) == tmp_path / ".nearid"
    (tmp_path / "a" / ".nearid").mkdir()
    assert locate_gallery(start=inner) == tmp_path / "a" / ".nearid"
    monkeypatch.chdir(inner)
    assert locate_gallery() == tmp_path / "a" / ".nearid"


def test_a_file_of_that_name_is_no_gallery(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".nearid").mkdir()
    (tmp_path / "a" / ".nearid").write_bytes(b"")
    assert locate_gallery(start=tmp_path / "a") == tmp_path / ".nearid"


def test_without_any_it_is_here(tmp_path: Path) -> None:
    assert locate_gallery(start=tmp_path) == tmp_path / ".nearid"


def test_the_argument_beats_the_variable_beats_the_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".nearid").mkdir()
    monkeypatch.setenv(GALLERY_VARIABLE, "from/variable")
    assert locate_gallery() == tmp_path / "from" / "variable"
    assert locate_gallery(Path("named/../given")) == tmp_path / "given"
    monkeypatch.setenv(GALLERY_VARIABLE, "")
    assert locate_gallery() == tmp_path / ".nearid"


def test_a_missing_gallery_names_the_command(tmp_path: Path) -> None:
    require_gallery(tmp_path, exists=True)
    with pytest.raises(GalleryNotFoundError, match=r"make one with: nearid-search index \./catalog \(or"):
        require_gallery(tmp_path / ".nearid", exists=False)
    with pytest.raises(GalleryNotFoundError, match=rf"index \./catalog --gallery {tmp_path / 'mine'}"):
        require_gallery(tmp_path / "mine", exists=False)


def test_a_gallery_from_the_variable_is_named_in_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(GALLERY_VARIABLE, str(tmp_path / ".nearid"))
    with pytest.raises(GalleryNotFoundError, match="--gallery"):
        require_gallery(tmp_path / ".nearid", exists=False)


def test_paths_below_home_are_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below, beside = tmp_path / "home" / "catalog" / "a.jpg", tmp_path / "homes" / "a.jpg"
    home = tmp_path / "home"
    assert stored_path(below, home=home) == "catalog/a.jpg"
    assert stored_path(beside, home=home) == str(beside)
    (home / "catalog").mkdir(parents=True)
    monkeypatch.chdir(home / "catalog")
    assert display_path("catalog/a.jpg", home=home) == "a.jpg"
    assert display_path("other/a.jpg", home=home) == str(home / "other" / "a.jpg")
    assert display_path(str(beside), home=home) == str(beside)
