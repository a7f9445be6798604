"""Reading pictures that lie in tar and Parquet files, by paths that name them."""

import os
import tarfile
from pathlib import Path

import pytest
from packed_catalogues import write_parquet, write_tar
from pyarrow import parquet

from nearid_search.errors import UnreadableImageError
from nearid_search.images import read_file
from nearid_search.packed_pictures import list_members, read_rows

LONG = "folder/" + "n" * 200 + ".jpg"


def test_every_member_is_read_like_a_file(tmp_path: Path) -> None:
    members = {f"a/{number}.jpg": bytes([number]) * (500 + number) for number in range(20)} | {LONG: b"long"}
    shard = write_tar(tmp_path / "s.tar", members)
    assert set(list_members(shard).members) == set(members)
    for name, data in members.items():
        assert read_file(shard / name) == data


def test_a_shard_that_is_written_again_is_read_anew(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "s.tar", {"1.jpg": b"first", "2.jpg": b"second"})
    assert read_file(shard / "2.jpg") == b"second"
    write_tar(shard, {"0.jpg": b"new", "2.jpg": b"other content"})
    assert read_file(shard / "2.jpg") == b"other content"


@pytest.mark.parametrize("name", ["../out.jpg", "/etc/out.jpg", "a/../../out.jpg", "a\udcff.jpg"])
def test_a_name_that_leads_outside_is_named_and_left_out(tmp_path: Path, name: str) -> None:
    shard = write_tar(tmp_path / "s.tar", {name: b"1", "in.jpg": b"2"})
    listing = list_members(shard)
    assert set(listing.members) == {"in.jpg"}
    assert listing.faults == ((ascii(name), "its name leads out of the shard: rename it"),)


def test_a_name_that_stands_twice_is_named(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for _ in range(2):
            tar.addfile(tarfile.TarInfo("1.jpg"))
    assert list_members(tmp_path / "s.tar").faults == (("1.jpg", "stands twice in the shard: the first is taken"),)


@pytest.mark.parametrize("kept", [700, 1024, 1500, 2048, 2600, 3000])
def test_a_shard_that_is_cut_short_anywhere_is_named(tmp_path: Path, kept: int) -> None:
    shard = write_tar(tmp_path / "s.tar", {f"{number}.jpg": bytes([number + 1]) * 600 for number in range(3)})
    whole = {name: read_file(shard / name) for name in ("0.jpg", "1.jpg", "2.jpg")}
    os.truncate(shard, kept)
    listing = list_members(shard)
    assert listing.faults
    for name in listing.members:
        assert read_file(shard / name) == whole[name]


def test_a_damaged_header_in_the_middle_is_named(tmp_path: Path) -> None:
    shard = write_tar(tmp_path / "s.tar", {f"{number}.jpg": b"x" * 512 for number in range(3)})
    data = bytearray(shard.read_bytes())
    data[1024 + 3] ^= 0xFF
    shard.write_bytes(data)
    listing = list_members(shard)
    assert set(listing.members) == {"0.jpg"}
    assert "damaged" in dict(listing.faults)[""]


def test_a_header_cannot_ask_for_memory(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("1.jpg")
    entry.type, entry.size = tarfile.GNUTYPE_LONGNAME, 1 << 31
    with (tmp_path / "s.tar").open("wb") as file:
        file.write(entry.tobuf())
        file.truncate(1 << 32)  # a hole, no bytes on disk
    with pytest.raises(OSError, match="a header of 2,147,483,648 bytes"):
        list_members(tmp_path / "s.tar")


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b\x08" + b"0" * 2000])
def test_what_is_no_tar_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.tar").write_bytes(content)
    with pytest.raises(OSError, match="no tar file"):
        list_members(tmp_path / "s.tar")


@pytest.mark.parametrize("struct", [True, False], ids=["struct", "bytes"])
def test_every_row_is_read_like_a_file(tmp_path: Path, *, struct: bool) -> None:
    pictures = [bytes([number + 1]) * 300 for number in range(45)]
    file = write_parquet(tmp_path / "p.parquet", [{"image": data} for data in pictures], group=20, struct=struct)
    for number, data in enumerate(pictures):
        assert read_file(tmp_path / f"{file.name}#{number}") == data
    wanted = [0, 3, 19, 20, 44]
    assert list(read_rows(file, wanted)) == [(row, pictures[row]) for row in wanted]


def test_rows_that_give_nothing_say_why(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "p.parquet", [{"image": b"1"}, {"image": None}, {"image": b""}])
    for row, reason in ((1, "no bytes"), (2, "no bytes"), (3, "no such row")):
        with pytest.raises(UnreadableImageError, match=reason):
            read_file(tmp_path / f"{file.name}#{row}")


def test_a_damaged_row_group_takes_no_other_with_it(tmp_path: Path) -> None:
    pictures = [os.urandom(4_000) for _ in range(6)]
    file = write_parquet(tmp_path / "p.parquet", [{"image": data} for data in pictures], struct=False)
    data = bytearray(file.read_bytes())
    column = parquet.ParquetFile(file).metadata.row_group(1).column(0)
    place = column.dictionary_page_offset or column.data_page_offset
    data[place : place + 20] = b"\xff" * 20  # the header of its first page
    file.write_bytes(data)
    found = dict(read_rows(file, range(6)))
    assert [found[row] for row in (0, 1, 4, 5)] == [pictures[row] for row in (0, 1, 4, 5)]
    assert all(isinstance(found[row], UnreadableImageError) for row in (2, 3))


@pytest.mark.parametrize("path", ["no.tar/1.jpg", "no.parquet#1", "plain.txt/1.jpg", "s.tar/no.jpg"])
def test_what_is_not_there_is_an_error_of_reading(tmp_path: Path, path: str) -> None:
    (tmp_path / "plain.txt").write_text("text")
    write_tar(tmp_path / "s.tar", {"1.jpg": b"1"})
    with pytest.raises(UnreadableImageError, match=r"no such|not a directory"):
        read_file(tmp_path / path)
