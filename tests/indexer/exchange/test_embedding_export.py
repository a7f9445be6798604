"""What a gallery writes out, and that it comes in again as it was."""

from pathlib import Path

import pyarrow as pa
import pytest
from catalogues import MakeCatalogue
from embedding_files import contents, directions, write_embeddings
from pyarrow import parquet

from nearid_search.encoder import IdentityEncoder
from nearid_search.engine import SearchEngine
from nearid_search.errors import ConfigError, FilterError, GalleryMismatchError, GalleryNotFoundError, NoEncoderError
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.exchange.embedding_export import export_embeddings
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.gallery import Gallery
from nearid_search.records import Failure, QueryAnswer


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    """A gallery of embeddings: exact duplicates under several names, so that ties matter."""
    rows = directions(1, 30)[[n % 20 for n in range(30)]]
    source = write_embeddings(
        tmp_path / "e.parquet", rows, [f"Ding {n % 7}" for n in range(30)],
        path=[None if n % 5 == 0 else f"bilder/ü{n}.jpg" for n in range(30)], bin=[n % 3 for n in range(30)],
        day=pa.array([n if n % 2 else None for n in range(30)], pa.date32()),
    )  # fmt: skip
    import_embeddings(source, gallery=tmp_path / "imported", encoder="ViT")
    return tmp_path / "imported"


@pytest.fixture
def indexed(tmp_path: Path, catalogue: MakeCatalogue, encoder: IdentityEncoder) -> Path:
    """A gallery of pictures."""
    folder = catalogue({"chair/1.png": 1, "chair/2.png": 2, "lamp/1.png": 3, "alone.png": 4})
    index_catalogue(folder, gallery=tmp_path / "indexed", encoder=encoder)
    return tmp_path / "indexed"


def all_answers(gallery: Path, queries: Path) -> list[QueryAnswer | Failure]:
    return list(SearchEngine.open(gallery, encode=False).query_embeddings(queries, k=3))


def test_the_columns(imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    report = export_embeddings(out, gallery=imported)
    assert (report.exported, report.encoder, report.dim, report.file) == (30, "ViT", 8, str(out))
    table = parquet.read_table(out)
    assert table.schema.names == ["identity", "path", "embedding", "key", "bin", "day"]
    assert table.schema.field("embedding").type == pa.list_(pa.field("element", pa.float32()), 8)
    wanted = [{name: row[name] for name in table.schema.names} for row in contents(imported, "bin", "day")]
    assert table.sort_by("key").to_pylist() == wanted


@pytest.mark.parametrize("batch_rows", [1, 7, 30, None])
def test_imported_embeddings_come_back_as_they_were(batch_rows: int | None, imported: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out.parquet", tmp_path / "again"
    done: list[tuple[int, int]] = []
    export_embeddings(out, gallery=imported, batch_rows=batch_rows, on_progress=lambda *state: done.append(state))
    assert done[-1] == (30, 30)
    assert import_embeddings(out, gallery=again).encoder == "ViT"
    assert contents(again, "bin", "day") == contents(imported, "bin", "day")
    assert all_answers(again, out) == all_answers(imported, out)
    assert import_embeddings(out, gallery=imported).added == 0


def test_embeddings_of_pictures_come_back_without_the_pictures(
    indexed: Path, encoder: IdentityEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out, again = tmp_path / "out.parquet", tmp_path / "again"
    export_embeddings(out, gallery=indexed)
    report = import_embeddings(out, gallery=again)
    assert (report.added, report.encoder) == (4, encoder.fingerprint)
    without = dict.fromkeys(("width", "height", "thumbnail"))
    assert contents(again) == [row | without for row in contents(indexed)]
    assert all_answers(again, out) == all_answers(indexed, out)
    with pytest.raises(NoEncoderError, match="query --embeddings"):
        SearchEngine.open(again)
    # Whoever opens the encoder that made them may ask with pictures.
    picture = tmp_path / "catalogue/chair/1.png"
    opened = SearchEngine(Gallery.open(again), encoder)
    assert opened.query(picture) == SearchEngine(Gallery.open(indexed), encoder).query(picture)


def test_a_filter_chooses_rows(imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    assert export_embeddings(out, gallery=imported, where="bin = 1 AND identity = 'Ding 1'").exported == 2
    assert {row["identity"] for row in parquet.read_table(out).to_pylist()} == {"Ding 1"}
    assert export_embeddings(out, gallery=imported, where="bin = 9").exported == 0
    assert parquet.read_table(out).num_rows == 0


@pytest.mark.parametrize("where", ["shelf = 1", "bin ="])
def test_a_bad_filter_leaves_the_old_file(where: str, imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_bytes(b"old")
    with pytest.raises(FilterError, match="cannot filter by"):
        export_embeddings(out, gallery=imported, where=where)
    assert out.read_bytes() == b"old"


def test_a_stop_leaves_the_old_file_and_no_other(imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_bytes(b"old")
    names = {path.name for path in tmp_path.iterdir()}

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_embeddings(out, gallery=imported, on_progress=interrupt)
    assert out.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == names


def test_where_nothing_can_be_written(imported: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot write .*none/out\.parquet: No such file or directory"):
        export_embeddings(tmp_path / "none/out.parquet", gallery=imported)
    with pytest.raises(GalleryNotFoundError):
        export_embeddings(tmp_path / "out.parquet", gallery=tmp_path / "none")
    with pytest.raises(ConfigError, match="batch_rows must be at least 1"):
        export_embeddings(tmp_path / "out.parquet", gallery=imported, batch_rows=0)


def test_what_the_file_says_of_its_encoder_is_believed(imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    export_embeddings(out, gallery=imported)
    with pytest.raises(GalleryMismatchError, match="says that its embeddings were made by ViT, not by other"):
        import_embeddings(out, gallery=tmp_path / "other", encoder="other")
    bare = write_embeddings(tmp_path / "bare.parquet", directions(2, 3), list("abc"))
    import_embeddings(bare, gallery=tmp_path / "unnamed")
    with pytest.raises(
        GalleryMismatchError, match="holds embeddings made by embeddings:8, these are said to be made by V"
    ):
        import_embeddings(out, gallery=tmp_path / "unnamed")
    # An export of embeddings that nobody named says nothing, so it may be named later.
    export_embeddings(out, gallery=tmp_path / "unnamed")
    assert import_embeddings(out, gallery=imported, encoder="ViT").added == 3
