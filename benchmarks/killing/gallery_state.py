"""Everything that a gallery has decided, so that two can be compared, and what is wrong with one by itself."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nearid_search.engine import SearchEngine
from nearid_search.errors import NearIDError
from nearid_search.indexer.calibration_file import CALIBRATION_NAME
from nearid_search.indexer.care.checksums import CHECKSUMS_NAME
from nearid_search.indexer.care.second_copies import copy_of
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.corrections.log import LOG_NAME, CorrectionLog
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.location import UPLOADS_DIRNAME
from nearid_search.indexer.manifest import DRAFT_NAME, MANIFEST_NAME, read_manifest
from nearid_search.indexer.schema import CATALOGUE_IDENTITY
from nearid_search.indexer.search.index_manifest import INDEX_DIRNAME, INDEX_MANIFEST, read_index_manifest
from nearid_search.indexer.search.rerank_record import RERANK_NAME
from nearid_search.similarity import Embeddings

# What may be said beside an answer, which is right all the same: rows that the index lacks are scanned, and so is
# everything from the moment that a rebuild or a migration is in force until its index is made.
_OLD_INDEX = "the search index was made for the"
MAY_BE_TOLD = ("are not in the search index and are scanned", _OLD_INDEX)
_COLUMNS = ["key", "path", "identity", CATALOGUE_IDENTITY, "embedding", "width", "height", "thumbnail", "encoder"]
_OF_A_RUN = ("when", "versions", "tables")  # fields of an entry that no two runs share
_MEASURED = ("created_at", "tuning", "lance_version", "generation", "files", "tables")


def state_of(folder: Path, queries: Embeddings) -> dict[str, Any]:
    """Return what a gallery holds and answers, without times, versions and the names of files.

    Args:
        folder: the gallery's folder.
        queries: (Q, D) float32 unit rows to ask it about.

    Returns:
        Dictionaries and lists that are equal where two galleries are.
    """
    gallery = Gallery.open(folder)
    manifest = asdict(gallery.manifest)
    return {
        "manifest": {name: manifest[name] for name in ("encoder", "catalogues", "search")},
        "images": _rows(gallery.store.images),
        "hidden": _rows(gallery.store.hidden) if gallery.store.hidden_keys() else [],
        "files": sorted(_without_upload_time(record._asdict()) for record in gallery.store.ledger()),
        "log": log_of(folder),
        "index": _index(folder),
        "answers": answers_of(folder, queries),
    }


def answers_of(folder: Path, queries: Embeddings) -> list[Any]:
    """Return what a gallery answers; a warning on the way, such as of a damaged index, is raised.

    Raises:
        Warning: that a search index or a calibration cannot be used.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for harmless in MAY_BE_TOLD:
            warnings.filterwarnings("ignore", f"(?s).*{harmless}")
        engine = SearchEngine.open(folder, encode=False)
        labels = [str(number) for number in range(len(queries))]
        found = [answer.as_dict() for answer in engine.answer_many(queries, labels=labels)]
    for image in (image for answer in found for match in answer["matches"] for image in match["images"]):
        image["path"] = os.path.relpath(image["path"], folder.parent)
    return found


def log_of(folder: Path) -> list[dict[str, Any]]:
    """Return the corrections, without what no two runs share."""
    found = []
    for entry in CorrectionLog(folder).entries:
        content = {name: value for name, value in entry.as_dict().items() if name not in _OF_A_RUN}
        if content["added"] is not None:
            content["added"] = _without_upload_time(content["added"])
        found.append(content)
    return found


def faults_of(folder: Path, queries: Embeddings) -> list[str]:
    """Return what is wrong with a gallery as a reader finds it, whatever it should hold."""
    if read_manifest(folder) is None:
        return []  # nothing has been promised yet
    gallery = Gallery.open(folder)
    keys = gallery.store.image_table([]).column("key").to_pylist()
    faults = [f"image {key} is there {number} times" for key, number in Counter(keys).items() if number > 1]
    paths = Counter(record.path for record in gallery.store.ledger())
    faults += [f"file {path} is there {number} times" for path, number in paths.items() if number > 1]
    try:
        if keys:
            answers_of(folder, queries)
    except (NearIDError, Warning) as error:
        faults.append(f"it does not answer: {error}")
    damaged = (found for found in verify_gallery(folder).findings if found.damage and _OLD_INDEX not in found.what)
    return [*faults, *(f"{finding.file} {finding.what}" for finding in damaged)]


def leftovers(folder: Path) -> list[str]:
    """Return the files and folders that nothing in the gallery speaks of; those inside Lance's tables are its own."""
    manifest = read_manifest(folder)
    draft = read_manifest(folder, name=DRAFT_NAME)
    named = {LOG_NAME, MANIFEST_NAME, CALIBRATION_NAME, RERANK_NAME, CHECKSUMS_NAME, "writer.lock"}
    named |= {copy_of(folder / name).name for name in (LOG_NAME, MANIFEST_NAME)}
    for known in filter(None, (manifest, draft)):
        named |= {known.tables, known.encoder.head or known.tables}
    if draft is not None:
        named.add(DRAFT_NAME)
    found = {entry.name for entry in folder.iterdir()} - named - {INDEX_DIRNAME, UPLOADS_DIRNAME}
    index = read_index_manifest(folder / INDEX_DIRNAME)
    in_force = set() if index is None else {INDEX_MANIFEST, *(file.name for file in index.files.values())}
    found |= {f"{INDEX_DIRNAME}/{path.name}" for path in folder.glob(f"{INDEX_DIRNAME}/*") if path.name not in in_force}
    # A picture whose enrolment was never acknowledged may stay in the folder; sent again, it finds its file there.
    return sorted(found | {f"{UPLOADS_DIRNAME}/{path.name}" for path in folder.glob(f"{UPLOADS_DIRNAME}/*.tmp")})


def _without_upload_time(record: dict[str, Any]) -> tuple[Any, ...]:
    """Leave out when a picture was uploaded, which is when its file was written; a catalogue's keeps its time."""
    uploaded = f"/{UPLOADS_DIRNAME}/" in record["path"]
    return tuple((record | {"mtime_ns": 0} if uploaded else record).values())


def _rows(table: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401  (LanceDB's class)
    rows = table.search().select(_COLUMNS).to_arrow().sort_by("key").to_pylist()
    for row in rows:
        row["embedding"] = tuple(row["embedding"])
        row["thumbnail"] = hashlib.sha256(row["thumbnail"] or b"").hexdigest()
    return [tuple(row.values()) for row in rows]


def _index(folder: Path) -> dict[str, Any] | None:
    index = read_index_manifest(folder / INDEX_DIRNAME)
    if index is None:
        return None
    tuned = None if index.tuning is None else {**asdict(index.tuning), "p50_ms": None}
    return {name: value for name, value in asdict(index).items() if name not in _MEASURED} | {"tuned": tuned}
