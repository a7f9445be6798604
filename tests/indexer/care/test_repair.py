"""What ``repair`` brings back of a gallery of pictures, and what ``verify`` says before and after."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from asked_gallery import answers, make_gallery
from damage_sweep import Damage

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import GalleryCorruptError
from nearid_search.indexer.care.checksums import read_again
from nearid_search.indexer.care.repair import RepairReport, repair_gallery
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.gallery import Gallery
from nearid_search.similarity import Embeddings


class Shop:
    """A gallery that was damaged, what it answered before, and its encoder."""

    def __init__(self, folder: Path, encoder: IdentityEncoder, queries: Embeddings, expected: dict[str, Any]) -> None:
        self.folder, self.encoder, self.queries, self.expected = folder, encoder, queries, expected

    def damage(self, pattern: str, *, cut: bool = False) -> str:
        """Flip a byte in the middle of the largest file of a pattern, or cut it off there; return its name."""
        path = max(self.folder.glob(pattern), key=lambda path: path.stat().st_size)
        name = path.relative_to(self.folder).as_posix()
        Damage(name, path.stat().st_size // 2, None if cut else 255).apply(self.folder)
        read_again()
        return name

    def repair(self) -> RepairReport:
        report = repair_gallery(self.folder, encoder=self.encoder)
        assert verify_gallery(self.folder).damaged == []
        return report

    def assert_as_before(self, *left_out: str) -> None:
        seen = answers(self.folder, self.queries)
        assert {name: seen[name] for name in seen if name not in left_out} == {
            name: value for name, value in self.expected.items() if name not in left_out
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, encoder: IdentityEncoder) -> Shop:
    folder = make_gallery(tmp_path_factory.mktemp("made") / "shop", encoder, things=4, views=2)
    queries = encoder.encode(sorted((folder.parent / "catalog").glob("*.png"))[:4])
    return Shop(folder, encoder, queries, answers(folder, queries))


@pytest.fixture
def shop(made: Shop, tmp_path: Path) -> Shop:
    shutil.copytree(made.folder.parent, tmp_path / "shop")
    read_again()
    return Shop(tmp_path / "shop" / ".nearid", made.encoder, made.queries, made.expected)


def test_a_whole_gallery_has_no_findings_and_stays_as_it_is(shop: Shop) -> None:
    report = verify_gallery(shop.folder)
    assert (report.findings, report.images) == ((), 10)
    repaired = shop.repair()
    assert (repaired.mended, repaired.aside, repaired.whole) == ([], [], True)
    shop.assert_as_before()


@pytest.mark.parametrize("cut", [False, True], ids=["flipped", "cut"])
@pytest.mark.parametrize("name", ["manifest.json", "corrections.jsonl"])
def test_manifest_and_log_come_back_from_their_copies(shop: Shop, name: str, cut: bool) -> None:
    shop.damage(name, cut=cut)
    with pytest.raises(GalleryCorruptError, match="repair"):
        Gallery.open(shop.folder).corrections_that_hold()
    assert [finding.file for finding in verify_gallery(shop.folder).damaged] == [name]
    assert shop.repair().aside == [f"{name}.damaged"]
    shop.assert_as_before()


def test_a_correction_after_the_copy_is_not_lost(shop: Shop) -> None:
    log, copy = shop.folder / "corrections.jsonl", shop.folder / "corrections.jsonl.copy"
    content = log.read_bytes()
    last = content[:-1].rfind(b"\n") + 1
    copy.write_bytes(content[:last])  # as after a crash between the line and the copy
    Damage(log.name, 10, 1).apply(shop.folder)
    assert shop.repair().whole
    assert log.read_bytes() == content


@pytest.mark.parametrize("cut", [False, True], ids=["flipped", "cut"])
def test_damaged_rows_are_encoded_again(shop: Shop, cut: bool) -> None:
    name = shop.damage("tables/images.lance/data/*", cut=cut)
    with pytest.raises(GalleryCorruptError, match=r"(altered|cannot be read).*gallery repair"):
        Gallery.open(shop.folder).identities()
    assert [finding.file for finding in verify_gallery(shop.folder).damaged] == [name]
    report = shop.repair()
    assert report.rescued is not None
    assert report.rescued.encoded
    assert (report.rescued.lost, report.rescued.unproven) == ([], [])
    assert (shop.folder / "tables.damaged" / Path(name).relative_to("tables")).exists()
    shop.assert_as_before("past")


def test_rows_whose_pictures_are_gone_are_proved_by_the_search_index_or_named(shop: Shop) -> None:
    shop.damage("tables/images.lance/data/*")
    shutil.rmtree(shop.folder.parent / "catalog")
    report = shop.repair()
    assert report.rescued is not None
    assert (report.rescued.encoded, report.rescued.lost) == (0, [])
    shop.assert_as_before("past", "listed")


@pytest.mark.parametrize(
    "pattern",
    [
        "tables/files.lance/data/*",
        "tables/hidden.lance/data/*",
        "tables/images.lance/_deletions/*",
        "tables/images.lance/_versions/*.manifest",
    ],
)
def test_every_kind_of_table_file_can_be_mended(shop: Shop, pattern: str) -> None:
    shop.damage(pattern, cut=True)
    assert shop.repair().whole
    shop.assert_as_before("past")


def test_index_uploads_and_sums_are_mended_or_set_aside(shop: Shop) -> None:
    for pattern in ("index/*.vectors", "uploads/*", "checksums.json"):
        shop.damage(pattern)
    assert len(verify_gallery(shop.folder).damaged) == 3
    assert shop.repair().whole
    shop.assert_as_before()
    assert len(list(shop.folder.rglob("*.damaged"))) == 2


def test_where_lance_panics_one_line_is_said_and_repair_mends(shop: Shop) -> None:
    import lancedb

    newest = min((shop.folder / "tables/images.lance/_versions").glob("*.manifest"))
    content = newest.read_bytes()
    for place in range(len(content)):
        newest.write_bytes(content[:place])
        try:
            lancedb.connect(str(shop.folder / "tables")).open_table("images")
        except Exception as error:  # noqa: BLE001  (the bindings do not export the class)
            if type(error).__name__ == "RustPanic":
                break
    else:
        pytest.skip("this LanceDB does not panic, wherever the file is cut")
    read_again()
    with pytest.raises(GalleryCorruptError, match="cannot be read"):
        Gallery.open(shop.folder).identities()
    assert verify_gallery(shop.folder).damaged
    assert shop.repair().whole


def test_a_search_index_that_was_never_finished_is_no_damage(shop: Shop) -> None:
    (shop.folder / "index" / "index.json").unlink()
    (finding,) = verify_gallery(shop.folder).findings
    assert (finding.file, finding.damage) == ("index", False)
    shop.assert_as_before()


def test_repair_of_a_log_without_a_copy_touches_no_table(shop: Shop) -> None:
    (shop.folder / "corrections.jsonl.copy").unlink()
    shop.damage("corrections.jsonl")
    shop.damage("tables/images.lance/data/*")
    report = repair_gallery(shop.folder, encoder=shop.encoder)
    assert not report.whole
    assert report.aside == []
    assert {finding.part for finding in report.remaining} == {"corrections", "tables"}
