"""What reads bytes that somebody else wrote, each as a function of bytes: it must return or raise an error of ours.

Documents with a digest inside are sealed anew before they are read, so that damage gets past the digest: what is behind
it must be as careful as the digest is.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

sys.path.append(str(Path(__file__).parent.parent / "tests"))  # the sound pictures

from pictures import EVERY_FORMAT, sample

from nearid_search.errors import NearIDError
from nearid_search.head_file import MANIFEST_NAME as HEAD_MANIFEST
from nearid_search.head_file import read_head_manifest
from nearid_search.image_decoding import decode_image, read_exif
from nearid_search.indexer.calibration_file import CALIBRATION_NAME, read_calibration
from nearid_search.indexer.catalogue.labels import read_labels
from nearid_search.indexer.corrections.log import LOG_NAME, CorrectionLog, Entry, Pin
from nearid_search.indexer.exchange.embeddings_file import EmbeddingsFile
from nearid_search.indexer.manifest import MANIFEST_NAME, EncoderRecord, Manifest, read_manifest
from nearid_search.indexer.rows import FileRecord
from nearid_search.indexer.search.index_manifest import INDEX_MANIFEST, read_index_manifest
from nearid_search.sealed_json import digest, seal
from nearid_search.shipped_heads import list_shipped_heads

_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-"))


class Target(NamedTuple):
    """Something to feed.

    Attributes:
        feed: reads the bytes; whatever it raises is a finding.
        seeds: what to begin with.
    """

    feed: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def _feed_pictures(data: bytes) -> None:
    with contextlib.suppress(NearIDError):
        decode_image(data, name="fuzzed", min_side=32, max_pixels=2**20)
    read_exif(data)


def _sealed(name: str, read: Callable[[Path], Any]) -> Callable[[bytes], None]:
    def feed(data: bytes) -> None:
        try:
            document = json.loads(data)
            data = seal({key: value for key, value in document.items() if key != "sha256"})
        except (ValueError, AttributeError, RecursionError):
            pass  # read as it is
        (_FOLDER / name).write_bytes(data)
        with contextlib.suppress(NearIDError):
            read(_FOLDER)

    return feed


def _feed_log(data: bytes) -> None:
    lines, previous = [], ""
    for line in data.splitlines(keepends=True):
        with contextlib.suppress(ValueError, AttributeError, RecursionError):
            linked = {key: value for key, value in json.loads(line).items() if key != "sha256"} | {"previous": previous}
            previous = digest(linked)
            line = json.dumps({**linked, "sha256": previous}).encode() + line[-1:]
        lines.append(line)
    (_FOLDER / LOG_NAME).write_bytes(b"".join(lines))
    with contextlib.suppress(NearIDError):
        log = CorrectionLog(_FOLDER)
        _ = log.pending, log.undone, log.standing, log.num_in_force


def _feed_labels(suffix: str) -> Callable[[bytes], None]:
    def feed(data: bytes) -> None:
        path = _FOLDER / f"labels{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(NearIDError):
            read_labels(path).label("a/1.png")

    return feed


def _feed_embeddings(data: bytes) -> None:
    path = _FOLDER / "embeddings.parquet"
    path.write_bytes(data)
    with contextlib.suppress(NearIDError), EmbeddingsFile(path, needs=("identity",)) as file:
        for _ in file.batches(["identity", "path", "key", "shelf"], batch_rows=100):
            pass


def _manifests() -> list[bytes]:
    record = EncoderRecord(fingerprint="made", backbone="made", dtype="float32", dim=8)
    made = Manifest(encoder=record, created_at="2026-01-02T03:04:05+00:00", made_by="0.1.0")
    return [seal(asdict(made)), b"{}", b"[]", b'{"format_version": 1}', b'{"format_version": 1, "encoder": []}']


def _calibrations() -> list[bytes]:
    model = {"threshold": 0.5, "open_set": {"weights": [1.0], "bias": 0.0}}
    return [seal({"format_version": number, "model": model}) for number in (1, 2)] + [b"{}"]


def _index_manifests() -> list[bytes]:
    file = {"name": "x", "size": 1, "sha256": "0"}
    known: dict[str, Any] = dict.fromkeys(("encoder", "tables", "generation", "faiss", "made_by", "created_at"), "x")
    known |= dict.fromkeys(("trained_rows", "positions", "dim", "lance_version"), 1)
    known |= {"recipe": "sq8", "factory": "SQ8", "settings": {}, "tuning": None, "format_version": 2}
    return [seal({**known, "files": dict.fromkeys(("vectors", "rows", "embeddings"), file)}), b"{}"]


def _head_manifests() -> list[bytes]:
    heads = list_shipped_heads().values()
    return [*((head / HEAD_MANIFEST).read_bytes() for head in heads), b'{"spec": {}}']


def _log_lines() -> list[bytes]:
    entry = Entry(number=1, when="2026-01-02T03:04:05+00:00", who="me", why=None, action="rename", what="cup is mug")
    pinned = replace(entry, pins=(Pin("0", "a.png", "cup", None, None),), added=FileRecord("a.png", 1, 1, "0", None))
    made = [json.dumps(each.as_dict()).encode() + b"\n" for each in (entry, pinned)]
    return [
        *made,
        b"".join(made),
        b"{}\n",
        b'{"done": 1, "versions": {}, "previous": "", "sha256": ""}\n',
        b"\n\n",
        b'{"number": 1',
    ]


def _tables() -> list[bytes]:
    return [b"path,identity\na/1.png,cup\n", b'path,identity,shelf\r\n"a,1.png",,3\r\n', b"path;identity\n", b"path\n"]


def _parquet() -> list[bytes]:
    import pyarrow as pa
    from pyarrow import parquet

    vectors = pa.array([[1.0, 0.0], [0.0, 1.0]], pa.list_(pa.float32(), 2))
    columns = {"identity": ["a", "b"], "path": ["a/1.png", None], "embedding": vectors, "shelf": [1, 2]}
    made = []
    for compression in ("none", "snappy"):
        buffer = BytesIO()
        parquet.write_table(pa.table(columns), buffer, compression=compression)
        made.append(buffer.getvalue())
    return made


TARGETS: dict[str, Target] = {
    "pictures": Target(_feed_pictures, lambda: [sample(variant) for variant in EVERY_FORMAT]),
    "manifest": Target(_sealed(MANIFEST_NAME, read_manifest), _manifests),
    "calibration": Target(_sealed(CALIBRATION_NAME, read_calibration), _calibrations),
    "index": Target(_sealed(INDEX_MANIFEST, read_index_manifest), _index_manifests),
    "head": Target(_sealed(HEAD_MANIFEST, read_head_manifest), _head_manifests),
    "log": Target(_feed_log, _log_lines),
    "labels-csv": Target(_feed_labels(".csv"), _tables),
    "labels-parquet": Target(_feed_labels(".parquet"), _parquet),
    "embeddings": Target(_feed_embeddings, _parquet),
}
