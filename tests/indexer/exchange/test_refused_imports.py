"""Embeddings from Parquet files that are refused, in one line that names what is wrong; nothing is written then."""

import decimal
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from embedding_files import contents, directions, write_embeddings
from pyarrow import parquet

from nearid_search.errors import (
    ConfigError,
    EmbeddingsError,
    GalleryCorruptError,
    GalleryMismatchError,
    GalleryWriteError,
)
from nearid_search.indexer.exchange.embedding_import import import_embeddings
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.store import GalleryStore


def refusal(error: type[Exception], source: Path, gallery: Path, **options: Any) -> str:
    """Import what must be refused in one line; the folder must be as it was."""
    before = {path: path.read_bytes() for path in gallery.rglob("*") if path.is_file()}
    with pytest.raises(error) as caught:
        import_embeddings(source, gallery=gallery, **options)
    assert {path: path.read_bytes() for path in gallery.rglob("*") if path.is_file()} == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rows_that_a_file_claims_and_has_not_are_refused(gallery: Path, tmp_path: Path) -> None:
    """Reading a row group sets memory aside for all rows that it claims."""
    rows = 12_345
    source = write_embeddings(tmp_path / "source.parquet", directions(1, rows, 2), ["Krug"] * rows)
    head, found, tail = source.read_bytes().rpartition(thrift_number(rows))  # the row group's count comes last
    source.write_bytes(head + thrift_number(1_000_000) + tail)
    assert found
    message = refusal(EmbeddingsError, source, gallery)
    assert "row group 0 claims 1,000,000 rows and has 12,345" in message


def thrift_number(value: int) -> bytes:
    """A positive number in Thrift's compact protocol, in which Parquet's metadata are written."""
    value *= 2
    digits = [value >> shift & 0x7F for shift in range(0, value.bit_length(), 7)]
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


BAD = directions(5, 5, 4)
NAN, INFINITE, ZERO = BAD.copy(), BAD.copy(), BAD.copy()
NAN[3, 1], INFINITE[3, 1], ZERO[3] = np.nan, -np.inf, 0


@pytest.mark.parametrize(
    ("embedding", "reason"),
    [
        (NAN, "holds NaN or null"),
        (INFINITE, "is infinite"),
        (ZERO, "is all zeros, which has no direction"),
        (np.where(ZERO == 0, np.float64(1e300), ZERO), "is infinite"),
        (pa.array([*BAD[:3].tolist(), None, [1.0] * 4], pa.list_(pa.float32(), 4)), "is null"),
        (
            pa.array([*BAD[:3].tolist(), [1.0, None, 1.0, 1.0], [1.0] * 4], pa.list_(pa.float32(), 4)),
            "holds NaN or null",
        ),
        (pa.array([*BAD[:3].tolist(), None, [1.0]], pa.list_(pa.float32())), "is null"),
        (pa.array([*BAD[:3].tolist(), [1.0] * 6, [1.0]], pa.list_(pa.float64())), "has 6 values where 4 are expected"),
        (pa.array([None, None, None, [1.0] * 4, [1.0] * 4], pa.list_(pa.float64())), "is null"),
    ],
    ids=["NaN", "infinite", "zero", "too long", "null", "null inside", "null list", "width", "first rows null"],
)
@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_a_bad_embedding_is_named(embedding: Any, reason: str, batch_rows: int, gallery: Path, tmp_path: Path) -> None:
    source = write_embeddings(tmp_path / "e.parquet", embedding, list("abcde"), path=[f"p/{n}" for n in range(5)])
    row = 0 if isinstance(embedding, pa.Array) and not embedding[0].is_valid else 3
    message = refusal(EmbeddingsError, source, gallery, batch_rows=batch_rows)
    assert f"{source} row {row} (p/{row}): its embedding {reason}: " in message
    assert message.endswith("nothing was imported")
    assert not gallery.exists()


@pytest.mark.parametrize("identity", [None, ""])
def test_a_missing_identity_is_named(identity: str | None, gallery: Path, tmp_path: Path) -> None:
    source = write_embeddings(tmp_path / "e.parquet", directions(6, 3), ["a", "b", identity])
    assert f"{source} row 2: its identity is null or empty" in refusal(EmbeddingsError, source, gallery)
    source = write_embeddings(tmp_path / "e.parquet", directions(6, 3), pa.nulls(3))
    assert f"{source} row 0: its identity is null or empty" in refusal(EmbeddingsError, source, gallery)


def test_another_width_than_the_gallerys_names_both(source: Path, gallery: Path, tmp_path: Path) -> None:
    import_embeddings(source, gallery=gallery)
    wide = write_embeddings(tmp_path / "wide.parquet", directions(7, 2, 12), ["a", "b"])
    message = refusal(EmbeddingsError, wide, gallery)
    assert f"{wide} row 0: its embedding has 12 values, those of {gallery} have 8" in message


@pytest.mark.parametrize("name", ["thumbnail", "width", "encoder", "indexed_at"])
def test_a_column_of_the_gallerys_own_is_refused(name: str, gallery: Path, tmp_path: Path) -> None:
    further: Any = {name: [1, 2]}
    source = write_embeddings(tmp_path / "e.parquet", directions(8, 2), ["a", "b"], **further)
    assert f"column {name!r} is the gallery's own: rename it" in refusal(EmbeddingsError, source, gallery)


@pytest.mark.parametrize("name", ["_rowid", "_distance", "a.b", "a`b", ""])
def test_a_name_that_the_tables_cannot_hold_is_refused(name: str, gallery: Path, tmp_path: Path) -> None:
    further: Any = {name: [1, 2]}
    source = write_embeddings(tmp_path / "e.parquet", directions(8, 2), ["a", "b"], **further)
    assert f"column {name!r} cannot be kept as metadata" in refusal(EmbeddingsError, source, gallery)


@pytest.mark.parametrize(
    "column",
    [pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())), pa.array([decimal.Decimal(1)], pa.decimal256(40, 2))],
    ids=["map", "decimal256"],
)
def test_metadata_that_cannot_be_kept_is_refused(column: pa.Array, gallery: Path, tmp_path: Path) -> None:
    source = write_embeddings(tmp_path / "e.parquet", directions(8, 1), ["a"], odd=column)
    message = refusal(EmbeddingsError, source, gallery)
    assert "column 'odd' is" in message
    assert "which cannot be kept as metadata: make it text" in message


def test_tables_that_no_manifest_describes_are_refused(source: Path, gallery: Path) -> None:
    GalleryStore.create(gallery / "tables", dim=12)
    with pytest.raises(GalleryCorruptError, match="holds tables of another width"):
        import_embeddings(source, gallery=gallery)


def test_metadata_of_another_type_is_refused(source: Path, gallery: Path, tmp_path: Path) -> None:
    import_embeddings(source, gallery=gallery)
    other = write_embeddings(tmp_path / "o.parquet", directions(9, 2), ["a", "b"], fresh=[1, 2], bin=[1, 2])
    message = refusal(EmbeddingsError, other, gallery)
    assert f"column 'bin' is int64 here and string in {gallery}" in message
    empty = write_embeddings(tmp_path / "o.parquet", directions(9, 2), ["a", "b"], bin=pa.nulls(2))
    assert import_embeddings(empty, gallery=gallery).added == 2


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"embedding": [[1.0]]}, "has no column identity: it has embedding"),
        ({"identity": ["a"], "vector": [[1.0]]}, "has no column embedding: it has identity, vector"),
        ({"identity": [1], "embedding": [[1.0]]}, "column identity is int64: make it text"),
        ({"identity": ["a"], "embedding": [[1.0]], "path": [3]}, "column path is int64: make it text"),
        ({"identity": ["a"], "embedding": [1.0]}, "column embedding is double: make it a list of float32"),
        (
            {"identity": ["a"], "embedding": [[1]]},
            "column embedding is list<element: int64>: make it a list of float32",
        ),
        ({"identity": pa.array([], pa.string()), "embedding": pa.array([], pa.list_(pa.float32()))}, "holds no rows"),
        ({"identity": ["a"], "embedding": pa.array([None], pa.list_(pa.float32()))}, "its embedding is null"),
        ({"identity": ["a"], "embedding": pa.array([[]], pa.list_(pa.float32()))}, "its embedding is empty"),
    ],
)
def test_a_file_of_other_columns_is_refused(columns: Any, reason: str, gallery: Path, tmp_path: Path) -> None:
    source = tmp_path / "e.parquet"
    parquet.write_table(pa.table(columns), source)
    assert reason in refusal(EmbeddingsError, source, gallery)
    assert not gallery.exists()


def test_a_file_that_is_no_parquet_is_refused(gallery: Path, tmp_path: Path) -> None:
    missing, text = tmp_path / "none.parquet", tmp_path / "e.csv"
    text.write_text("identity,embedding\n")
    assert f"{missing} does not exist" in refusal(EmbeddingsError, missing, gallery)
    assert f"{text} cannot be read as Parquet" in refusal(EmbeddingsError, text, gallery)
    assert f"{tmp_path} cannot be read as Parquet" in refusal(EmbeddingsError, tmp_path, gallery)


def test_text_that_is_no_utf8_is_refused(gallery: Path, tmp_path: Path) -> None:
    broken = pa.array([b"ok", b"\xff\xfe"]).view(pa.string())
    source = write_embeddings(tmp_path / "e.parquet", directions(10, 2), broken)
    assert "Invalid UTF8" in refusal(EmbeddingsError, source, gallery)


def test_a_damaged_file_is_refused(source: Path, gallery: Path) -> None:
    content = bytearray(source.read_bytes())
    content[4:200] = bytes(196)
    source.write_bytes(content)
    assert "cannot be read as Parquet" in refusal(EmbeddingsError, source, gallery)


def test_given_keys_are_kept_and_checked(gallery: Path, tmp_path: Path) -> None:
    keys = [hashlib.sha256(bytes([n])).hexdigest() for n in range(3)]
    path = tmp_path / "e.parquet"
    write_embeddings(path, directions(11, 3), list("abc"), key=keys)
    import_embeddings(path, gallery=gallery)
    assert [row["key"] for row in contents(gallery)] == sorted(keys)
    for wrong in (None, "7", keys[2].upper(), keys[2] + "\n"):
        write_embeddings(path, directions(11, 3), list("abc"), key=[*keys[:2], wrong])
        message = refusal(EmbeddingsError, path, gallery)
        assert f"{path} row 2: its key {wrong!r} is no SHA-256 in hex" in message
    write_embeddings(path, directions(11, 3), list("abc"), key=[*keys[:2], keys[0]])
    assert f"{path} row 2: its key is that of an earlier row" in refusal(EmbeddingsError, path, gallery)


def test_a_named_encoder_is_remembered_and_not_mixed(source: Path, gallery: Path, tmp_path: Path) -> None:
    assert import_embeddings(source, gallery=gallery, encoder="our ViT v2").encoder == "our ViT v2"
    assert {row["encoder"] for row in contents(gallery)} == {"our ViT v2"}
    more = write_embeddings(tmp_path / "more.parquet", directions(12, 2), ["a", "b"])
    message = refusal(GalleryMismatchError, more, gallery)
    assert "made by our ViT v2, these are said to be made by embeddings:8" in message
    assert message.endswith("--encoder our ViT v2")
    assert "made by our ViT v3" in refusal(GalleryMismatchError, more, gallery, encoder="our ViT v3")
    assert import_embeddings(more, gallery=gallery, encoder="our ViT v2").added == 2


@pytest.mark.parametrize("options", [{"encoder": " "}, {"batch_rows": 0}])
def test_senseless_settings_are_refused(options: dict[str, Any], source: Path, gallery: Path) -> None:
    assert refusal(ConfigError, source, gallery, **options)


def test_a_folder_of_other_things_is_refused(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "letter.txt").write_text("x")
    assert "holds other files (letter.txt)" in refusal(GalleryWriteError, source, folder)


def test_a_second_writer_is_refused(source: Path, gallery: Path) -> None:
    with writer_lock(gallery), pytest.raises(Exception, match="being written by process"):
        import_embeddings(source, gallery=gallery)
    assert import_embeddings(source, gallery=gallery).added == 4
