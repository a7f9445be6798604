"""A list of paths and addresses as a catalogue."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogues import draw
from packed_catalogues import picture
from picture_server import Served, answer, picture_server

from nearid_search.config import FetchConfig, IndexConfig
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import CatalogueError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.reports import IndexReport

QUICK = IndexConfig(batch_size=4, decoders=1)
LOOPBACK = FetchConfig(networks=("127.0.0.1/32",), retries=0)


@pytest.fixture
def served() -> Iterator[Served]:
    with picture_server() as found:
        yield found


def write_csv(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def index(
    catalogue: Path, encoder: IdentityEncoder, *, fetch: FetchConfig | None = None, refetch: bool = False
) -> IndexReport:
    gallery = catalogue.parent / "gallery"
    return index_catalogue(catalogue, gallery=gallery, encoder=encoder, config=QUICK, fetch=fetch, refetch=refetch)


def identities(catalogue: Path) -> dict[str, str]:
    rows = Gallery.open(catalogue.parent / "gallery").store.image_table(["path", "identity"]).to_pylist()
    return {row["path"]: row["identity"] for row in rows}


def test_a_text_file_of_paths(tmp_path: Path, encoder: IdentityEncoder) -> None:
    for number, name in enumerate(("chair/1.png", "lamp/2.png", "elsewhere.png")):
        draw(tmp_path / name, number)
    absolute = tmp_path.parent / f"{tmp_path.name}-abroad.png"
    draw(absolute, 9)
    listed = tmp_path / "list.txt"
    listed.write_text(f"chair/1.png\n\n./lamp//2.png\n{absolute}\nmissing.png\n", encoding="utf-8")
    report = index(listed, encoder)
    assert identities(listed) == {"chair/1.png": "chair", "lamp/2.png": "lamp", str(absolute): str(absolute)}
    (failure,) = report.failures
    assert failure.path == str(tmp_path / "missing.png")
    listed.write_text("lamp/2.png\n", encoding="utf-8")
    report = index(listed, encoder)
    assert (report.removed, report.unchanged, set(identities(listed))) == (2, 1, {"lamp/2.png"})


def test_a_table_labels_what_it_names(tmp_path: Path, encoder: IdentityEncoder) -> None:
    for number in range(2):
        draw(tmp_path / f"pictures/{number}.png", number)
    rows = [{"path": f"pictures/{number}.png", "identity": f"00{number}", "bin": str(number)} for number in range(2)]
    table = write_csv(tmp_path / "table.csv", rows)
    index(table, encoder)
    assert identities(table) == {"pictures/0.png": "000", "pictures/1.png": "001"}
    rows[0]["identity"] = "renamed"
    write_csv(table, rows)
    assert index(table, encoder).updated == 1
    assert identities(table)["pictures/0.png"] == "renamed"


def test_addresses_take_permission_and_leave_no_gallery_without(tmp_path: Path, encoder: IdentityEncoder) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("http://shop.example/1.jpg\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"names 1 addresses, such as http://shop\.example.*--allow-fetch"):
        index(listed, encoder)
    assert not (tmp_path / "gallery").exists()


def test_addresses_are_fetched_once_and_again_only_if_asked(
    tmp_path: Path, encoder: IdentityEncoder, served: Served
) -> None:
    one, two, three = (picture(tmp_path, seed) for seed in range(3))
    served.pictures |= {"1.png": one, "2.png": two, "same.png": one, "damaged.png": b"\x89PNG\r\n\x1a\n"}
    served.behaviours["busy.png"] = answer(503)
    names = ["1.png", "2.png", "same.png", "damaged.png", "busy.png"]
    rows = [{"url": served.url(name), "identity": name[0]} for name in names]
    listed = write_csv(tmp_path / "list.csv", rows)
    report = index(listed, encoder, fetch=LOOPBACK)
    assert (report.added, report.duplicates) == (2, 1)
    assert {failure.path for failure in report.failures} == {served.url("damaged.png"), served.url("busy.png")}
    assert identities(listed) == {served.url("1.png"): "1", served.url("2.png"): "2"}
    served.asked.clear()
    served.sent.clear()

    again = index(listed, encoder)  # nothing is missing, so it takes no permission
    assert (again.unchanged, again.added, len(again.failures), served.asked.total()) == (5, 0, 2, 0)

    served.pictures["busy.png"] = three
    del served.behaviours["busy.png"]
    later = index(listed, encoder, fetch=LOOPBACK)
    assert (later.added, dict(served.asked)) == (1, {"busy.png": 1})

    served.pictures["2.png"] = picture(tmp_path, 7)
    served.sent.clear()
    fresh = index(listed, encoder, fetch=LOOPBACK, refetch=True)
    assert (fresh.updated, fresh.added, fresh.removed) == (1, 0, 0)
    assert dict(served.sent) == {"2.png": 1, "damaged.png": 1}
    assert len(identities(listed)) == 3


def test_a_server_that_is_gone_takes_no_picture_away(tmp_path: Path, encoder: IdentityEncoder, served: Served) -> None:
    served.pictures["1.png"] = picture(tmp_path, 1)
    listed = tmp_path / "list.txt"
    listed.write_text(served.url("1.png") + "\n", encoding="utf-8")
    index(listed, encoder, fetch=LOOPBACK)
    served.pictures.clear()
    report = index(listed, encoder, fetch=LOOPBACK, refetch=True)
    assert (report.images, report.removed, len(report.failures)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("list.txt", b"\n \n", "names no pictures"),
        ("list.txt", b"1.png\n./1.png\n", "twice"),
        ("list.txt", b"\xff\xfe1\n", "not UTF-8"),
        ("list.csv", b"picture,identity\n1.png,a\n", "no column path or url"),
        ("list.csv", b"path,thumbnail\n1.png,a\n", "the gallery's own"),
        ("list.csv", b"path,identity\n,a\n", "line 2: neither path nor url"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(
    tmp_path: Path, encoder: IdentityEncoder, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CatalogueError, match=said):
        index(tmp_path / name, encoder)
