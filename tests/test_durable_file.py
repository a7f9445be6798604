"""Files written whole or not at all."""

from pathlib import Path

import pytest

from nearid_search.durable_file import publish, replacing, write_file, write_files


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (b"first", b"second"):
        write_file(path, content)
        assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_none_of_several_files_takes_its_name_before_all_are_written(tmp_path: Path) -> None:
    first, blocked = tmp_path / "a", tmp_path / "b"
    first.write_bytes(b"old")
    (tmp_path / "b.tmp").mkdir()  # where the second would be written
    with pytest.raises(IsADirectoryError):
        write_files({first: b"new", blocked: b"new"})
    assert first.read_bytes() == b"old"
    assert not blocked.exists()


def test_a_file_written_in_pieces_takes_its_name_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new ")
        assert path.read_bytes() == b"old"
        file.write(b"content")
    assert path.read_bytes() == b"new content"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_an_error_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_a_file_that_another_wrote_takes_its_name(tmp_path: Path) -> None:
    written, target = tmp_path / "a.tmp", tmp_path / "a"
    written.write_bytes(b"new")
    target.write_bytes(b"old")
    publish(written, target)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a", b"new")]
